"""What staff read of tasks in the admin, and its pages for stored messages. No word of a session's nonce leaves."""
