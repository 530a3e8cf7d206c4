import Glibc
import VaultTeam

// What takes the number of a standard descriptor that is closed is written to by whatever prints.
for number in Int32(0)...2 where fcntl(number, F_GETFD) < 0 { _ = open("/dev/null", O_RDWR) }
TeamProgram.main(CommandLine.arguments)
