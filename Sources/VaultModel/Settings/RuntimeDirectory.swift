import Glibc

/// The folder for this login's sockets.
public enum RuntimeDirectory {
  /// `XDG_RUNTIME_DIR`, else the folder that systemd and elogind create for it (pam_systemd(8)): programs started by cron or `su`
  /// are not told of it, yet must find the same agent as the desktop's programs. Another user's folder is never used, even if the
  /// variable names it: with `sudo -E`, root would leave files there that the owner cannot enter.
  ///
  /// - Parameters:
  ///   - environment: looks up a variable; an empty value counts as none.
  ///   - root: the folder that holds one folder per user.
  /// - Returns: nil if there is none that belongs to this user alone.
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
