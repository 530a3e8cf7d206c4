import Glibc
import VaultTeam

// A file opened under a closed standard descriptor's number would receive everything that is printed.
for number in Int32(0)...2 where fcntl(number, F_GETFD) < 0 { _ = open("/dev/null", O_RDWR) }
TeamProgram.main(CommandLine.arguments)
