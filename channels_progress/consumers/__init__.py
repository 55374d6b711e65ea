"""The WebSocket side: frames, the hub that feeds the sockets of a process, and the consumer behind each socket."""
