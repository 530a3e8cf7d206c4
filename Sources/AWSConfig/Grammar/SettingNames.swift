/// A parsed setting name, as written before the `=`.
struct SettingName {
  /// In lower case.
  let text: String
  let isSecret: Bool
  let isKnown: Bool
}

/// A cache of recent names, so that a name used in thousands of profiles becomes a string only once.
struct SettingNames {
  private struct Entry {
    let place: Range<Int>
    let name: SettingName
  }

  private let bytes: UnsafeRawBufferPointer
  private var entries: [Entry?] = Array(repeating: nil, count: 64)

  /// - Parameter bytes: must outlive this.
  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// The name at `place`, made by `make` if it is not cached.
  mutating func name(at place: Range<Int>, _ make: () throws(ConfigError) -> SettingName) throws(ConfigError) -> SettingName {
    let slot = slot(of: place)
    if let entry = entries[slot], isSame(entry.place, place) { return entry.name }
    let name = try make()
    entries[slot] = Entry(place: place, name: name)
    return name
  }

  /// - Parameter place: must not be empty.
  private func slot(of place: Range<Int>) -> Int {
    let first = Int(bytes[place.lowerBound])
    let middle = Int(bytes[place.lowerBound + place.count / 2])
    let last = Int(bytes[place.upperBound - 1])
    return (place.count &* 7 &+ first &* 31 &+ middle &* 13 &+ last &* 5) & 63
  }

  private func isSame(_ one: Range<Int>, _ other: Range<Int>) -> Bool {
    guard one.count == other.count else { return false }
    return bytes[one].elementsEqual(bytes[other])
  }
}
