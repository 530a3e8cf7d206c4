import Glibc
import VaultBytes
import VaultModel
import VaultWire

/// `vault import --from PROGRAM`: takes over keys, profiles and sign-ins from another program's stores.
enum ImportFrom {
  static let option = OptionSpec(
    "from", value: "PROGRAM", kind: .words(TakeOverProgram.allCases.map(\.rawValue)),
    "take over from another program: \(names); FILE is then its store or configuration")

  private static let names = TakeOverProgram.allCases.map(\.rawValue).joined(separator: ", ")

  /// The variables that tell those programs where their data is. None of them holds a secret.
  private static let variables = [
    "AWS_VAULT_BACKEND", "AWS_VAULT_FILE_DIR", "AWS_VAULT_SECRET_SERVICE_COLLECTION_NAME", "XDG_CONFIG_HOME", "AWS_SSO_CONFIG",
    "SAML2AWS_CONFIGFILE",
  ]

  static func run(program name: String, _ arguments: Arguments, _ paths: VaultPaths) throws {
    guard let program = TakeOverProgram(rawValue: name) else {
      throw Failure(
        "--from: unknown program \"\(name)\"",
        hint: Suggestion.nearest(to: name, in: TakeOverProgram.allCases.map(\.rawValue)).map { "did you mean \($0)?" }
          ?? "one of \(names)", exitStatus: .usage)
    }
    for other in ["config", "credentials", "once"] where arguments.has(other) || arguments[other] != nil {
      throw Failure("--from and --\(other) cannot be combined", exitStatus: .usage)
    }
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json])
    guard let home = variable("HOME"), home.hasPrefix("/") else {
      throw Failure("HOME is not an absolute path", exitStatus: .configuration)
    }
    let file = try arguments.single("FILE", required: false)
    let request = try TakeOverRequest { request throws(Failure) in
      (request.program, request.home, request.dryRun) = (program, home, arguments.has("dry-run"))
      request.path = try file.map(existingPath)
      request.files = program.usesAWSFiles ? ImportRequest(usualFilesIn: home) : nil
      for name in variables {
        if let value = variable(name), !value.isEmpty, value.utf8.count <= 4_096 { request.variables.append("\(name)=\(value)") }
      }
    }
    var items: [TakeOverItem] = []
    var client = AgentClient(paths: paths)
    client.onEntry = { items.append(try $0.value()) }
    let reply = try client.ask(request)
    for line in reply.warnings + reply.lines + (reply.plainKeys.map { [$0] } ?? []) { Diagnostics.notice(line) }
    show(items, format: format, dryRun: request.dryRun, isWide: arguments.has(Table.wideOption.name))
    Diagnostics.notice(summary(items, program, dryRun: request.dryRun))
  }

  private static func show(_ items: [TakeOverItem], format: ReportFormat, dryRun: Bool, isWide: Bool) {
    var output = Output()
    if format == .json {
      var writer = JSONWriter()
      writer.array { writer in
        for item in items {
          writer.newLine()
          writer.object {
            $0.field("kind", item.kind.rawValue)
            $0.field("name", item.name)
            $0.field("from", item.origin)
            $0.field("result", item.result.rawValue)
            $0.field("detail", item.detail)
          }
        }
      }
      output.write(bytes: writer.consume())
      output.write("\n")
    } else if !items.isEmpty {
      var table = Table(
        [.whole("KIND", rank: 1), .name("NAME"), .name("FROM", rank: 2), .text("RESULT", least: 24)], isWide: isWide)
      for item in items {
        let result = item.result == .taken && dryRun ? "would be taken" : item.result.rawValue
        table.add([item.kind.rawValue, item.name, item.origin, result + (item.detail.map { ": \($0)" } ?? "")])
      }
      table.write(to: &output)
    }
    output.flush()
  }

  private static func summary(_ items: [TakeOverItem], _ program: TakeOverProgram, dryRun: Bool) -> String {
    func count(_ result: TakeOverItem.Result) -> Int { items.count { $0.result == result } }
    let taken = "\(count(.taken)) \(dryRun ? "would be taken" : "taken") over from \(program.rawValue)"
    return "\(taken), \(count(.known)) known, \(count(.notTaken)) not taken; what \(program.rawValue) has is unchanged"
  }
}

extension TakeOverProgram {
  /// Whether its profiles are those of the AWS files.
  fileprivate var usesAWSFiles: Bool { self != .saml2aws && self != .leapp }
}

extension ImportRequest {
  /// The AWS files that exist where the SDKs look for them; nil if there are none.
  fileprivate init?(usualFilesIn home: String) {
    self.init()
    func file(_ name: String, _ usual: String) -> String? {
      let path = variable(name).flatMap { $0.isEmpty ? nil : $0 } ?? home + usual
      guard path != "/dev/null", let full = try? absolutePath(path), access(full, F_OK) == 0 else { return nil }
      return full
    }
    config = file("AWS_CONFIG_FILE", "/.aws/config")
    credentials = file("AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials")
    self.home = home
    guard config != nil || credentials != nil else { return nil }
  }
}
