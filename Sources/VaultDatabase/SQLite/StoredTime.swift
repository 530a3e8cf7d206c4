import VaultModel

extension Timestamp {
  /// A time as a column has it, held within the years 1 to 9999: what stands in a damaged or hostile file must not overflow where it is
  /// reckoned with.
  public init(stored milliseconds: Int64) {
    self.init(milliseconds: min(max(milliseconds, -62_135_596_800_000), 253_402_300_799_999))
  }
}
