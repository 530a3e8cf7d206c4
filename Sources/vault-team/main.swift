import VaultTeam

TeamProgram.main(CommandLine.arguments)
