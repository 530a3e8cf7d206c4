import Glibc

/// The folder of this login's sockets.
public enum RuntimeDirectory {
  /// `XDG_RUNTIME_DIR`, else the folder that systemd and elogind make for it (pam_systemd(8)): what cron or `su` starts is not told of
  /// it, and has to find the same agent as the desktop's programs. A folder of another user's is not used, whoever names it: with
  /// `sudo -E` root would leave there what its owner can't enter.
  ///
  /// - Parameters:
  ///   - environment: looks up a variable; an empty value counts as none.
  ///   - root: where a folder for each user is.
  /// - Returns: nil where there is none that is ours alone.
  public static func path(environment: (String) -> String?, root: String = "/run/user") -> String? {
    if let told = environment("XDG_RUNTIME_DIR"), told.hasPrefix("/"), !isForeign(told) { return told }
    let path = "\(root)/\(geteuid())"
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(), status.st_mode & 0o077 == 0
    else { return nil }
    return path
  }

  private static func isForeign(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_uid != geteuid()
  }
}
