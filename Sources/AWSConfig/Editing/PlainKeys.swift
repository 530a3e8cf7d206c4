import VaultModel
import VaultSecrets

/// A long-term access key in plain text in a shared file.
public struct PlainKey: Sendable {
  public let profile: String
  public let accessKeyId: String
  public let secret: SecretBytes
  /// The path as the person knows it.
  public let file: String
  /// The numbers of its lines, ascending.
  public let lines: [Int]

  /// `~/.aws/credentials:2,3`
  public var place: String { "\(file):\(lines.map(String.init).joined(separator: ","))" }

  /// Whether the same key stands for the same profile, wherever its lines are.
  public func isSame(_ other: PlainKey) -> Bool {
    profile == other.profile && accessKeyId == other.accessKeyId && secret.equals(other.secret)
  }
}

/// The plain access keys of one shared file, and the file without one of them.
public struct PlainKeys: Sendable {
  public let keys: [PlainKey]
  private let sections: [ConfigSection]

  /// Why a key cannot be removed.
  public enum Problem: Error {
    /// The file has another key for the profile in lines before, which would count then.
    case otherKey(PlainKey)
    /// The lines around would get another meaning.
    case entangled
  }

  /// Reads a file. A missing one has no keys.
  public init(path: String, kind: ConfigFileKind, home: String?) throws(ConfigError) {
    let file = try ConfigFile(path, shown: SharedConfig.shown(path, home: home))
    defer { withExtendedLifetime(file) {} }
    try self.init(file.bytes, file: file.shown, kind: kind)
  }

  private init(_ bytes: UnsafeRawBufferPointer, file: String, kind: ConfigFileKind) throws(ConfigError) {
    let table = try ConfigParser.parse(bytes, file: file, kind: kind).table
    sections = table.sections.map(\.section)
    keys = table.sections.compactMap { section in
      // A key with a token is temporary, and whatever wrote it will write the next one.
      guard let secrets = section.secrets, secrets.sessionToken == nil, secrets.fault(of: section.name) == nil,
        let id = secrets.accessKeyId, let secret = secrets.secretAccessKey
      else { return nil }
      let lines = Self.names.compactMap { section.section[$0]?.origin.line }
      guard lines.count == Self.names.count else { return nil }
      return PlainKey(profile: section.name, accessKeyId: id, secret: secret, file: file, lines: lines.sorted())
    }
  }

  private static let names = ["aws_access_key_id", "aws_secret_access_key"]

  /// A file without the lines of a key. Every other byte stays.
  ///
  /// - Parameters:
  ///   - process: the command of a `credential_process` to leave in the key's place; nil for none.
  /// - Returns: nil if the key is not there, or not as it was.
  /// - Throws: ``Problem``, `ConfigError`.
  public static func removing(_ key: PlainKey, from bytes: [UInt8], kind: ConfigFileKind, leaving process: String? = nil) throws
    -> [UInt8]?
  {
    let before = try parse(bytes, kind)
    guard let found = before.keys.first(where: { $0.isSame(key) }) else { return nil }
    var result = without(found.lines, bytes, leaving: process)
    var after = try parse(result, kind)
    // The same key may be there twice.
    while let again = after.keys.first(where: { $0.profile == key.profile }) {
      guard again.isSame(key) else { throw Problem.otherKey(again) }
      let shorter = without(again.lines, result, leaving: nil)
      guard shorter.count < result.count else { throw Problem.entangled }
      result = shorter
      after = try parse(result, kind)
    }
    guard before.meaning(without: key.profile, adding: nil) == after.meaning(without: key.profile, adding: process) else {
      throw Problem.entangled
    }
    return result
  }

  private static func parse(_ bytes: [UInt8], _ kind: ConfigFileKind) throws(ConfigError) -> PlainKeys {
    var copy = bytes
    return try copy.withUnsafeMutableBytes { buffer in
      MarkedBlocks.blank(buffer)
      return Result { () throws(ConfigError) in try PlainKeys(UnsafeRawBufferPointer(buffer), file: "", kind: kind) }
    }.get()
  }

  /// Every setting but those of a profile's key, and those of a `credential_process` that was added.
  private func meaning(without profile: String, adding process: String?) -> [String] {
    sections.flatMap { section in
      section.settings.filter { setting in
        guard section.kind == .profile, section.name == profile else { return true }
        return !Self.names.contains(setting.name)
          && !(process != nil && setting.name == "credential_process" && setting.text == process)
      }.map { "\(section.kind.rawValue)\u{0}\(section.name)\u{0}\($0.name)\u{0}\($0.value)" }
    }.sorted()
  }

  private static func without(_ numbers: [Int], _ bytes: [UInt8], leaving process: String?) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + 256)
    var start = 0
    var number = 1
    while start < bytes.count {
      // A line ends as in ``ConfigLines``: a lone CR counts.
      let mark = bytes[start...].firstIndex { $0 == Byte.lineFeed || $0 == Byte.carriageReturn } ?? bytes.count
      let isPair = bytes[mark...].starts(with: [Byte.carriageReturn, Byte.lineFeed])
      let end = Swift.min(mark + (isPair ? 2 : 1), bytes.count)
      let line = bytes[start..<end]
      if !numbers.contains(number) {
        result += line
      } else if number == numbers.first, let process {
        result += line.prefix { $0 == 0x20 || $0 == 0x09 }
        result += Array("credential_process = \(process)".utf8)
        result += mark < end ? bytes[mark..<end] : [Byte.lineFeed]
      }
      start = end
      number += 1
    }
    return result
  }
}
