import VaultBytes

extension JSONWriter {
  /// A JSON object in guarded memory, written in memory that is wiped.
  public static func secret(_ body: (inout JSONWriter) -> Void) -> SecretBytes {
    var writer = JSONWriter(isWiped: true)
    writer.object(body)
    return writer.buffer.secret
  }

  /// Adds a field if there is a value for it.
  ///
  /// - Parameter value: UTF-8.
  public mutating func add(_ name: String, _ value: SecretBytes?) {
    guard let value else { return }
    key(name)
    value.withBytes { string(utf8: $0) }
  }

  /// Adds a field if there is a value for it.
  public mutating func add(_ name: String, _ value: String?) { if let value { field(name, value) } }

  /// Adds a field if there is a value for it.
  public mutating func add(_ name: String, _ values: [String]?) {
    guard let values else { return }
    key(name)
    array { array in for value in values { array.string(value) } }
  }
}
