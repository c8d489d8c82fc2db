"""What asyncssh is told, and made to do: algorithms, options, wires, the way to a target."""
