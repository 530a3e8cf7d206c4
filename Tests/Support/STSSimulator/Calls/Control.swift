import Foundation
import SimulatorModel

/// What tests tell the simulator, under `/_sim/` on the same port.
struct Control {
  let simulator: Simulator

  /// Answers a control request, in JSON.
  func answer(_ request: HTTPRequest) -> HTTPResponse {
    do {
      switch (request.method, request.path) {
      case ("GET", "/_sim/requests"): return try json(simulator.report)
      case ("POST", "/_sim/faults"): simulator.queue(try faults(request))
      case ("POST", "/_sim/settings"): simulator.change(try settings(request))
      case ("POST", "/_sim/world"): simulator.change(to: try world(request))
      case ("POST", "/_sim/revoke"): simulator.revoke(try decode(STSRevocation.self, request))
      case ("POST", "/_sim/sign-in"): simulator.act(try decode(SignInControl.self, request))
      case ("POST", "/_sim/identity"): simulator.change(try identity(request))
      case ("POST", "/_sim/reset"): simulator.reset()
      default:
        return HTTPResponse(status: 404, contentType: "text/plain", body: "no such control: \(request.method) \(request.path)\n")
      }
      return HTTPResponse(status: 200, contentType: "application/json", body: "{}\n")
    } catch {
      return HTTPResponse(status: 400, contentType: "text/plain", body: "\(error)\n")
    }
  }

  private func settings(_ request: HTTPRequest) throws -> STSSettings {
    let settings = try decode(STSSettings.self, request)
    guard settings.isPlausible else { throw Implausible() }
    return settings
  }

  private func world(_ request: HTTPRequest) throws -> STSWorld {
    let world = try decode(STSWorld.self, request)
    guard world.settings.isPlausible else { throw Implausible() }
    try PolicyTrust.check(world)
    return world
  }

  private func identity(_ request: HTTPRequest) throws -> IdentityChange {
    let change = try decode(IdentityChange.self, request)
    try PolicyTrust.check(STSWorld(identityCenter: change.identityCenter))
    return change
  }

  /// One fault, or a list of them.
  private func faults(_ request: HTTPRequest) throws -> [STSFault] {
    let single = request.body.first { $0 > 32 } == UInt8(ascii: "{")
    let faults = single ? [try decode(STSFault.self, request)] : try decode([STSFault].self, request)
    guard faults.allSatisfy(\.isPlausible) else { throw Implausible() }
    return faults
  }

  /// A number that cannot be meant.
  private struct Implausible: Error {}

  private func decode<Value: Decodable>(_ type: Value.Type, _ request: HTTPRequest) throws -> Value {
    try JSONDecoder().decode(type, from: Data(request.body))
  }

  private func json(_ value: some Encodable) throws -> HTTPResponse {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return HTTPResponse(
      status: 200, contentType: "application/json", body: String(decoding: try encoder.encode(value), as: UTF8.self))
  }
}
