import CTOML
import VaultSecrets

/// A TOML document from outside: its texts, numbers and truth values, by the keys that lead there.
struct TOMLDocument: Sendable {
  /// A document that is no TOML.
  struct Malformed: Error, Hashable {
    let line: Int
  }

  /// In the order of the keys. A place in a list is a key too.
  let values: [(path: [String], text: String)]

  private static let maxValues = 10_000

  init(_ document: SecretBytes) throws(Malformed) {
    var values: [(path: [String], text: String)] = []
    let line = document.withBytes { bytes in
      withUnsafeMutablePointer(to: &values) { values in
        vault_toml_read(
          bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count,
          { values, path, length, value, count in
            guard let values = values?.assumingMemoryBound(to: [(path: [String], text: String)].self),
              values.pointee.count < TOMLDocument.maxValues
            else { return }
            let path = UnsafeRawBufferPointer(start: path, count: length)
            values.pointee.append(
              (
                path.split(separator: 0, omittingEmptySubsequences: false).dropLast().map { String(decoding: $0, as: UTF8.self) },
                String(decoding: UnsafeRawBufferPointer(start: value, count: count), as: UTF8.self)
              ))
          }, values)
      }
    }
    guard line == 0 else { throw Malformed(line: Int(line)) }
    self.values = values
  }

  func text(_ path: String...) -> String? { values.first { $0.path == path }?.text }
}
