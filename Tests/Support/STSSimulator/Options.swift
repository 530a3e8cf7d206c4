import Foundation
import SimulatorModel
import VaultModel

/// What the command line asks for.
struct Options {
  var world = ""
  var port: UInt16 = 0
  var log: String?
  var untilStdinCloses = false

  static let usage = """
    usage: sts-simulator --world FILE.json [--port 0] [--log FILE] [--until-stdin-closes]

    Plays AWS STS on a port of 127.0.0.1, strictly: signatures, clocks, trust, MFA and limits are checked.
    The world (users, keys, roles, who trusts whom) is described in FILE; faults are scripted under /_sim/.

    """

  /// - Throws: a ``Failure`` for what is not an option of ours.
  init(_ arguments: some Sequence<String>) throws(Failure) {
    var rest = Array(arguments)[...]
    func wrong(_ message: String) -> Failure { Failure(message, hint: Self.usage, exitStatus: .usage) }
    while let name = rest.popFirst() {
      if name == "--until-stdin-closes" {
        untilStdinCloses = true
        continue
      }
      guard ["--world", "--port", "--log"].contains(name) else { throw wrong("unknown option \(name)") }
      guard let value = rest.popFirst() else { throw wrong("\(name) needs a value") }
      switch name {
      case "--world": world = value
      case "--log": log = value
      default:
        guard let number = UInt16(value) else { throw wrong("\(value) is no port") }
        port = number
      }
    }
    guard !world.isEmpty else { throw wrong("--world is missing") }
  }

  /// Reads the world and refuses one that no test can mean.
  func readWorld() throws -> STSWorld {
    let world = try JSONDecoder().decode(STSWorld.self, from: Data(contentsOf: URL(fileURLWithPath: world)))
    func wrong(_ message: String) -> Failure { Failure(message, exitStatus: .configuration) }
    guard world.settings.isPlausible else { throw wrong("a number of the world's settings can't be meant") }
    guard !world.regions.isEmpty else { throw wrong("the world has no region") }
    let keys = world.users.flatMap(\.accessKeys).map(\.id)
    guard Set(keys).count == keys.count else { throw wrong("an access key is there twice") }
    do { try PolicyTrust.check(world) } catch { throw wrong("a policy of the world: \(error.message)") }
    for role in world.roles {
      guard RoleARN(role.arn) != nil else { throw wrong("\(role.arn) is not the ARN of a role") }
      guard (3_600...43_200).contains(role.maxSessionDuration) else {
        throw wrong("\(role.arn): maxSessionDuration is 3600 to 43200")
      }
    }
    for device in world.users.flatMap(\.mfaDevices) {
      if let secret = device.totpSecret, TimedCode.seed(base32: secret) == nil {
        throw wrong("\(device.serial): the seed is not base 32")
      }
    }
    return world
  }
}
