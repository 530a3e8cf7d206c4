import Glibc

/// A seeded source of chance (SplitMix64; Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
struct Chance {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// From 0 up to 1.
  mutating func next() -> Double { Double(bits() >> 11) / Double(1 << 53) }

  mutating func between(_ least: Double, _ maximum: Double) -> Double { least + next() * (maximum - least) }

  /// Until the next event of a kind that comes about once in `mean`.
  mutating func wait(mean: Double) -> Double { -log(1 - next()) * mean }

  mutating func happens(_ part: Double) -> Bool { next() < part }

  /// A source that has nothing to do with this one.
  mutating func split() -> Chance { Chance(seed: bits()) }

  private mutating func bits() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
