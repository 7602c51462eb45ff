"""What the tests share: a gateway process, and the clients that talk to it."""
