import CSystem
import Glibc
import VaultAgent
import VaultModel

// First of all, before there is anything to steal: no tracing, no core file (exec resets both).
_ = sys_set_not_dumpable()
_ = sys_open_standard()
_ = sys_forbid_core()
_ = sys_limit_heaps()
_ = sys_raise_descriptors()
umask(0o077)
// libcurl would write the keys of its connections to the file that this names.
unsetenv("SSLKEYLOGFILE")

var readyDescriptor: Int32?
var isBackground = false
for word in CommandLine.arguments.dropFirst() {
  switch word {
  case "--background": isBackground = true
  case "--version":
    print("vaultd \(vaultVersion)")
    exit(0)
  case _ where word.hasPrefix("--ready-fd="): readyDescriptor = Int32(word.dropFirst("--ready-fd=".utf8.count))
  default:
    print("usage: vaultd [--background] [--ready-fd=N]\n\nThe agent of vault; `vault` starts it when it is needed.")
    exit(word == "--help" || word == "-h" ? 0 : ExitStatus.usage.rawValue)
  }
}
if isBackground {
  // One thread as yet, so that a fork is safe; what a shell left open is not for a process that stays.
  sys_close_from(4)
  _ = chdir("/")
  guard sys_daemonize() == 0 else { exit(ExitStatus.software.rawValue) }
}
AgentProcess.main(readyDescriptor: readyDescriptor)
