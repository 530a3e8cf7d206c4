import Glibc

/// The kernel's files of processes (proc(5)), which say who asks and what this program's own file is. Swift takes the command line from
/// there, too, so that this is looked at before anything else.
public enum ProcessFiles {
  /// - Throws: unavailable, where there is no `/proc`, as in a bare chroot.
  public static func require() throws(Failure) {
    guard access("/proc/self/cmdline", R_OK) != 0 else { return }
    throw Failure(
      "there is no /proc here, which vault cannot do without", hint: "mount -t proc proc /proc", exitStatus: .unavailable)
  }
}
