import SimulatorModel
import VaultModel

/// The MFA devices of the world, and which of their codes were used.
struct MFADevices: Sendable {
  private struct UsedCode: Hashable {
    let serial: String
    let code: String
    /// The step of a code by time; nil for one of the device's list.
    let step: Int64?
  }
  private var used: Set<UsedCode> = []

  /// Checks the MFA parameters of a call, and uses the code up.
  ///
  /// - Returns: whether the call came with MFA.
  mutating func check(serial: String?, code: String?, user: STSWorld.User?, now: Timestamp) throws(AWSError) -> Bool {
    if serial == nil, code == nil { return false }
    guard let serial, let code else { throw .halfMFA }
    guard let device = user?.mfaDevices.first(where: { $0.serial == serial }) else { throw .unknownMFADevice }
    let step = device.totpSecret.flatMap(TimedCode.seed).flatMap { TimedCode.step(of: code, seed: $0, at: now) }
    guard step != nil || device.codes.contains(code), used.insert(UsedCode(serial: serial, code: code, step: step)).inserted
    else { throw .wrongMFACode }
    return true
  }
}
