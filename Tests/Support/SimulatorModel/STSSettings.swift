/// What can be changed while the simulator runs. In a `POST /_sim/settings`, what is nil stays as it is.
public struct STSSettings: Codable, Sendable, Hashable {
  /// Each call takes this long before it is answered.
  public var latencyMs: Int?
  /// The life of what is issued, whatever was asked for; 0 goes back to what is asked for.
  public var lifetimeSeconds: Int?
  /// How far the simulator's clock is ahead of the machine's.
  public var clockOffsetSeconds: Int?
  /// Calls at work at once; more are throttled. 0 is no limit.
  public var maxConcurrent: Int?
  /// Whether a connection is kept after an answer.
  public var keepAlive: Bool?
  /// Whether a denial says which policy refuses. STS mostly does not.
  public var explainsDenials: Bool?
  /// `aws:SourceIp` of every call; nil for 127.0.0.1.
  public var sourceAddress: String?

  public init(
    latencyMs: Int? = nil, lifetimeSeconds: Int? = nil, clockOffsetSeconds: Int? = nil, maxConcurrent: Int? = nil,
    keepAlive: Bool? = nil, explainsDenials: Bool? = nil, sourceAddress: String? = nil
  ) {
    self.latencyMs = latencyMs
    self.lifetimeSeconds = lifetimeSeconds
    self.clockOffsetSeconds = clockOffsetSeconds
    self.maxConcurrent = maxConcurrent
    self.keepAlive = keepAlive
    self.explainsDenials = explainsDenials
    self.sourceAddress = sourceAddress
  }

  /// Whether every number is one that a clock can be moved by: nothing is negative but the offset, and ten years are the most.
  public var isPlausible: Bool {
    let tenYears = 315_360_000
    return (0...tenYears).contains(latencyMs ?? 0) && (0...tenYears).contains(lifetimeSeconds ?? 0)
      && (-tenYears...tenYears).contains(clockOffsetSeconds ?? 0) && (maxConcurrent ?? 0) >= 0
  }

  /// These, with what `change` says put over them.
  public func changed(by change: STSSettings) -> STSSettings {
    STSSettings(
      latencyMs: change.latencyMs ?? latencyMs, lifetimeSeconds: change.lifetimeSeconds ?? lifetimeSeconds,
      clockOffsetSeconds: change.clockOffsetSeconds ?? clockOffsetSeconds, maxConcurrent: change.maxConcurrent ?? maxConcurrent,
      keepAlive: change.keepAlive ?? keepAlive, explainsDenials: change.explainsDenials ?? explainsDenials,
      sourceAddress: change.sourceAddress ?? sourceAddress)
  }
}
