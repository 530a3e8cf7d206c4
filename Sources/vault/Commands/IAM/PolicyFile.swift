import AWSPolicy
import CSystem
import Glibc
import VaultBytes
import VaultModel

/// A policy in a file that a person names.
enum PolicyFile {
  /// - Parameter path: `-` for standard input.
  /// - Throws: no input; or bad data, with the file, line and column.
  static func read(_ path: String) throws(Failure) -> PolicyDocument {
    try read(path, kind: .managed, hint: "nothing was printed").document
  }

  /// The text of a session policy, without white space: AWS counts its characters as they are sent.
  static func session(_ path: String) throws(Failure) -> String {
    let text = try read(path, kind: .session, hint: "AWS was not asked").text.value.compact()
    // STS takes characters up to U+00FF, and any other one escaped.
    return text.unicodeScalars.reduce(into: "") { text, scalar in
      if scalar.value <= 0xFF {
        text.unicodeScalars.append(scalar)
      } else {
        for unit in UTF16.encode(scalar)! { text += "\\u" + hex(UInt32(unit), width: 4) }
      }
    }
  }

  private static func read(_ path: String, kind: PolicyKind, hint: String) throws(Failure) -> (
    text: JSONText, document: PolicyDocument
  ) {
    let bytes = try bytes(path)
    let name = path == "-" ? "standard input" : path
    do {
      let text = try JSONText(bytes)
      return (text, try PolicyDocument(text, kind: kind))
    } catch let fault as JSONFault {
      throw Failure(
        "\(name):\(fault.line):\(fault.column): not JSON: \(fault.message)", hint: hint, exitStatus: .badData)
    } catch let fault as PolicyFault {
      let place = fault.place.map { ":\($0.line):\($0.column)" } ?? ""
      throw Failure(
        "\(name)\(place): \(fault.path.isEmpty ? "" : fault.path + ": ")\(fault.message)", hint: hint,
        exitStatus: .badData)
    } catch { throw Failure(error) }
  }

  /// One byte more than a policy may have, at most: the parser says that it is too long.
  private static func bytes(_ path: String) throws(Failure) -> [UInt8] {
    var descriptor: Int32 = 0
    if path != "-" {
      // Opening a FIFO must wait for its writer: `--policy <(jq …)` is one.
      descriptor = sys_open(try existingPath(path), O_RDONLY | O_NOCTTY, 0)
      guard descriptor >= 0 else {
        throw Failure("cannot open \(path) (\(String(cString: strerror(errno))))", exitStatus: .noInput)
      }
    }
    defer { if descriptor != 0 { close(descriptor) } }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count <= JSONText.maxBytes {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else {
        throw Failure(
          "cannot read \(path == "-" ? "standard input" : path) (\(String(cString: strerror(errno))))", exitStatus: .noInput)
      }
      if count == 0 { break }
      bytes += chunk[..<count]
    }
    return bytes
  }
}
