import AWSConfig
import VaultBytes
import VaultModel
import VaultWire

/// `vault import --dry-run`: shows how the files are understood, and changes nothing.
enum DryRun {
  static func show(_ files: ImportRequest, format: ReportFormat) throws {
    let config = try SharedConfig.read(configFile: files.config, credentialsFile: files.credentials, home: files.home)
    var output = Output()
    if format == .json {
      var writer = JSONWriter()
      json(config, &writer)
      output.write(bytes: writer.consume())
      output.write("\n")
    } else {
      var table = Table(["SECTION", "NAME", "SETTING", "VALUE", "FROM"])
      for section in config.sections {
        for setting in section.settings {
          table.add([section.kind.rawValue, section.name, setting.name, text(setting.value), setting.origin.description])
        }
      }
      table.write(to: &output)
    }
    output.flush()
    if format == .table { for warning in config.allWarnings { Diagnostics.notice(warning.description) } }
  }

  private static func text(_ value: SettingValue) -> String {
    switch value {
    case .text(let text): text
    case .nested(let lines): lines.map { "\($0.name)=\($0.value)" }.joined(separator: "; ")
    }
  }

  private static func json(_ config: SharedConfig, _ writer: inout JSONWriter) {
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
