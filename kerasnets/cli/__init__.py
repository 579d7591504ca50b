"""The commands: flags to a configuration, one library call, the result on the screen. No command imports TensorFlow
before its flags are read, so that --help and a mistyped flag answer at once.
"""
