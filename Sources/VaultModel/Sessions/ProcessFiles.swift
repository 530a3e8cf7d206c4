import Glibc

/// The kernel's process files (proc(5)), which identify the requester and this program's own file. Swift reads the command line
/// from there too, so this is checked before anything else.
public enum ProcessFiles {
  /// - Throws: unavailable, if there is no `/proc`, as in a bare chroot.
  public static func require() throws(Failure) {
    guard access("/proc/self/cmdline", R_OK) != 0 else { return }
    throw Failure(
      "no /proc here; vault requires it", hint: "mount -t proc proc /proc", exitStatus: .unavailable)
  }
}
