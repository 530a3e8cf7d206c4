import VaultModel

extension Timestamp {
  /// A stored time, clamped to the years 1 to 9999: values from a damaged or hostile file must not cause an overflow.
  public init(stored milliseconds: Int64) {
    self.init(milliseconds: min(max(milliseconds, -62_135_596_800_000), 253_402_300_799_999))
  }
}
