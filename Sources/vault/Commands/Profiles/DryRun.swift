import AWSConfig
import VaultBytes
import VaultDatabase
import VaultModel
import VaultWire

/// `vault import --dry-run`: shows how the files are understood, and changes nothing.
enum DryRun {
  static func show(_ files: ImportRequest, format: ReportFormat, isWide: Bool, paths: VaultPaths) throws {
    let config = try SharedConfig.read(configFile: files.config, credentialsFile: files.credentials, home: files.home)
    let unusable = try unusable(config, paths)
    var output = Output()
    if format == .json {
      var writer = JSONWriter()
      json(config, unusable: unusable, to: &writer)
      output.write(bytes: writer.consume())
      output.write("\n")
    } else {
      var table = Table(
        [.whole("SECTION", rank: 2), .name("NAME"), .name("SETTING"), .text("VALUE"), .name("FROM", rank: 1)], isWide: isWide)
      for section in config.sections {
        for setting in section.settings {
          table.add([section.kind.rawValue, section.name, setting.name, text(setting.value), setting.origin.description])
        }
      }
      table.write(to: &output)
    }
    output.flush()
    guard format == .table else { return }
    for warning in config.allWarnings { Diagnostics.notice(warning.description) }
    for (name, error) in unusable { Diagnostics.notice("\"\(name)\" cannot be used: \(error.message)") }
    let count = config.sections.count { $0.kind == .profile }
    Diagnostics.notice(
      "\(count) \(count == 1 ? "profile" : "profiles") would be imported"
        + (unusable.isEmpty ? "" : "; \(unusable.count) of them cannot be used"))
  }

  /// The profiles that would lead to no credentials, and why. Their sources may be in the vault already.
  private static func unusable(_ config: SharedConfig, _ paths: VaultPaths) throws -> [(name: String, error: ConfigError)] {
    let reader = try VaultReader(path: paths.database)
    let sections = Dictionary(config.sections.map { (SectionKey($0), $0) }, uniquingKeysWith: { first, _ in first })
    let resolver = ChainResolver(
      lookup: { kind, name in sections[SectionKey(kind, name)] ?? (try? reader.section(kind, name)) }, environment: { _ in nil })
    return config.sections.compactMap { section in
      // `[default]` with settings only is no fault.
      guard section.kind == .profile, resolver.summary(for: section.name).problem != nil else { return nil }
      do throws(ConfigError) { _ = try resolver.chain(for: section.name) } catch { return (section.name, error) }
      return nil
    }
  }

  private static func text(_ value: SettingValue) -> String {
    switch value {
    case .text(let text): text
    case .nested(let lines): lines.map { "\($0.name)=\($0.value)" }.joined(separator: "; ")
    }
  }

  private static func json(
    _ config: SharedConfig, unusable: [(name: String, error: ConfigError)], to writer: inout JSONWriter
  ) {
    writer.object { writer in
      for (name, kind) in [("profiles", SectionKind.profile), ("ssoSessions", .ssoSession), ("services", .services)] {
        writer.key(name)
        writer.object { writer in
          for section in config.sections where section.kind == kind {
            writer.key(section.name)
            writer.object { writer in
              for setting in section.settings {
                writer.key(setting.name)
                value(setting.value, &writer)
              }
            }
          }
        }
      }
      writer.key("warnings")
      writer.array { writer in
        for warning in config.allWarnings {
          writer.object { writer in
            writer.field("file", warning.file)
            writer.field("line", warning.line)
            writer.field("text", warning.text)
          }
        }
      }
      writer.key("unusable")
      writer.array { writer in
        for (name, error) in unusable {
          writer.object { writer in
            writer.field("profile", name)
            writer.field("why", error.message)
            writer.field("hint", error.hint)
          }
        }
      }
    }
  }

  /// A nested value is an object; any other value is the text that an SDK would see.
  static func value(_ value: SettingValue, _ writer: inout JSONWriter) {
    switch value {
    case .text(let text): writer.string(text)
    case .nested(let lines):
      writer.object { writer in for line in lines { writer.field(line.name, line.value) } }
    }
  }
}
