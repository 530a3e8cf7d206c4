import Foundation
import TestSupport
import VaultModel

@testable import AWSConfig

/// The text parsed as one file, named `config` or `credentials`.
func parsed(_ text: String, _ kind: ConfigFileKind = .config) throws(ConfigError) -> (
  sections: [ConfigSection], warnings: [ConfigWarning]
) {
  try parsed(Array(text.utf8), kind)
}

func parsed(_ bytes: [UInt8], _ kind: ConfigFileKind = .config) throws(ConfigError) -> (
  sections: [ConfigSection], warnings: [ConfigWarning]
) {
  var result: Result<(table: SectionTable, warnings: [ConfigWarning]), ConfigError> = .success((SectionTable(), []))
  bytes.withUnsafeBytes { bytes in
    do throws(ConfigError) {
      result = .success(try ConfigParser.parse(bytes, file: kind == .config ? "config" : "credentials", kind: kind))
    } catch {
      result = .failure(error)
    }
  }
  let found = try result.get()
  return (found.table.sections.map(\.section), found.warnings)
}

/// A resolver over the text of a config file.
func resolver(_ text: String, environment: [String: String] = [:]) throws -> ChainResolver {
  var sections: [SectionKind: [String: ConfigSection]] = [:]
  for section in try parsed(text).sections { sections[section.kind, default: [:]][section.name] = section }
  let known = sections
  return ChainResolver(lookup: { known[$0]?[$1] }, environment: { environment[$0] })
}

/// A home with both files in it.
struct WrittenHome {
  private let folder = TemporaryDirectory()
  var path: String { folder.path }

  init(config: String?, credentials: String?) throws {
    try FileManager.default.createDirectory(atPath: folder.file(".aws"), withIntermediateDirectories: true)
    if let config { folder.write(config, to: ".aws/config") }
    if let credentials { folder.write(credentials, to: ".aws/credentials") }
  }

  func write(_ bytes: [UInt8], to name: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: folder.file(name)))
  }

  func read() throws(ConfigError) -> SharedConfig {
    try SharedConfig.read(configFile: path + "/.aws/config", credentialsFile: path + "/.aws/credentials", home: path)
  }
}
