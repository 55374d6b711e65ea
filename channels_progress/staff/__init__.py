"""What staff read of tasks in the admin. No HTTP here, and no word of a session's nonce leaves."""
