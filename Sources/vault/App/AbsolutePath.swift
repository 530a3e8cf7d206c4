import Glibc
import VaultModel

/// Makes a path absolute for the agent, whose working folder differs.
///
/// - Throws: usage, for an empty name; no input, if the current folder no longer exists.
func absolutePath(_ path: String) throws(Failure) -> String {
  guard !path.isEmpty else { throw Failure("empty file name", exitStatus: .usage) }
  if path.hasPrefix("~/"), let home = variable("HOME") { return home + path.dropFirst(1) }
  if path.hasPrefix("/") { return path }
  guard let folder = getcwd(nil, 0) else {
    throw Failure("the current folder no longer exists", hint: "cd to another folder", exitStatus: .noInput)
  }
  defer { free(folder) }
  return String(cString: folder) + "/" + path
}

/// The same, for a file that is to be read.
///
/// - Throws: no input, if it does not exist.
@discardableResult
func existingPath(_ path: String) throws(Failure) -> String {
  let full = try absolutePath(path)
  if access(full, F_OK) != 0, errno == ENOENT || errno == ENOTDIR {
    throw Failure("no file \(path)", hint: "the path is relative to the current folder", exitStatus: .noInput)
  }
  return full
}
