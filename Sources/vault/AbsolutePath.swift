import Glibc
import VaultModel

/// A path as the agent can use it, whose own folder is another one.
///
/// - Throws: no input, where the folder that the person is in is gone.
func absolutePath(_ path: String) throws(Failure) -> String {
  if path.hasPrefix("~/"), let home = variable("HOME") { return home + path.dropFirst(1) }
  if path.hasPrefix("/") { return path }
  guard let folder = getcwd(nil, 0) else { throw Failure("the folder we are in is gone", exitStatus: .noInput) }
  defer { free(folder) }
  return String(cString: folder) + "/" + path
}
