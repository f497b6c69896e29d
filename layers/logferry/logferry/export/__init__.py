"""What the four functions of one export do: a module each, so that each imports only what it uses."""
