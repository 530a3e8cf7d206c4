import CSystem
import Glibc
import VaultAgent
import VaultModel

/// Replaces this process with a new one in a clean environment if the environment holds more than an agent needs. A user or a
/// service manager may add variables; the client does not. No library has been used yet, and code that a variable loaded into this
/// process goes with it.
func leaveForeignEnvironment(_ isSecond: Bool) {
  var (environment, isForeign) = AgentEnvironment.cleaned(sys_environment())
  guard isForeign else { return }
  let failed = "vaultd: cannot start with a clean environment"
  guard !isSecond else { exit(complaining: failed) }
  var words = (CommandLine.arguments + ["--cleaned"]).map { strdup($0) } + [nil]
  // By name, so that people find it in the process list; by the open file, if that was replaced.
  if let program = realpath("/proc/self/exe", nil) { execve(program, &words, &environment) }
  execve("/proc/self/exe", &words, &environment)
  exit(complaining: "\(failed) (errno \(errno))")
}

func exit(complaining text: String, _ status: ExitStatus = .software) -> Never {
  var line = text + "\n"
  line.withUTF8 { _ = write(2, $0.baseAddress!, $0.count) }
  exit(status.rawValue)
}

// First of all, before there is anything to steal: no tracing, no core file (exec resets both).
_ = sys_set_not_dumpable()
_ = sys_open_standard()
_ = sys_forbid_core()
_ = sys_limit_heaps()
_ = sys_raise_descriptors()
umask(0o077)
// libcurl would write the keys of its connections to the file named here.
unsetenv("SSLKEYLOGFILE")

do { try ProcessFiles.require() } catch { exit(complaining: "vaultd: \(error.message)", error.exitStatus) }
var readyDescriptor: Int32?
var isBackground = false
var isCleaned = false
for word in CommandLine.arguments.dropFirst() {
  switch word {
  case "--background": isBackground = true
  case "--cleaned": isCleaned = true
  case "--version":
    print("vaultd \(vaultVersion)")
    exit(0)
  case _ where word.hasPrefix("--ready-fd="): readyDescriptor = Int32(word.dropFirst("--ready-fd=".utf8.count))
  default:
    print("usage: vaultd [--background] [--ready-fd=N]\n\nThe agent of vault; `vault` starts it when needed.")
    exit(word == "--help" || word == "-h" ? 0 : ExitStatus.usage.rawValue)
  }
}
#if !SANITIZED
  leaveForeignEnvironment(isCleaned)
#endif
if isBackground {
  // There is still only one thread, so a fork is safe. A long-running process must not keep descriptors that a shell left open.
  sys_close_from(4)
  _ = chdir("/")
  guard sys_daemonize() == 0 else { exit(ExitStatus.software.rawValue) }
}
AgentProcess.main(readyDescriptor: readyDescriptor)
