/// The version of the programs, as `--version` prints it.
public let vaultVersion = "0.2.0"
