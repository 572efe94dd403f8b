"""Every program against its own kind and pyzmq, a function a program."""
