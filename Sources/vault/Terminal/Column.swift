import VaultBytes

/// A column of a table, and how it gives way where the terminal is too narrow for the whole table.
struct Column: ExpressibleByStringLiteral {
  let title: String

  /// Columns of rank 0 are always shown; of the others, those of the highest rank are left out first.
  let rank: Int

  /// What is left of a cut value at least; nil for values that are never cut: times, states, numbers and ids.
  let least: Int?

  /// Where a value is cut.
  let place: DisplayWidth.Place

  /// The width of most values, for a table whose rows are yet to come.
  let usual: Int

  /// A shorter word for a value, which is tried before anything is cut.
  var shorter: @Sendable (String) -> String? = ShortARN.text

  /// Words, always shown.
  init(stringLiteral title: String) { self = .text(title) }

  private init(title: String, rank: Int, least: Int?, place: DisplayWidth.Place, usual: Int) {
    (self.title, self.rank, self.least, self.place, self.usual) = (title, rank, least, place, usual)
  }

  /// Values that are whole or not there at all.
  static func whole(_ title: String, rank: Int = 0, usual: Int = 0) -> Column {
    Column(title: title, rank: rank, least: nil, place: .end, usual: usual)
  }

  /// Names, which are often told apart by their ends; paths.
  static func name(_ title: String, rank: Int = 0, least: Int = 16) -> Column {
    Column(title: title, rank: rank, least: least, place: .middle, usual: least)
  }

  /// ARNs: shortened before anything is cut.
  static func arn(_ title: String, rank: Int = 0) -> Column { .name(title, rank: rank, least: 29) }

  /// Programs by their paths: the folder gives way first.
  static func program(_ title: String, rank: Int = 0) -> Column {
    var column = name(title, rank: rank, least: 9)
    column.shorter = { path in
      path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) }.flatMap { $0.isEmpty ? nil : $0 }
    }
    return column
  }

  /// Words, which say most at their beginning.
  static func text(_ title: String, rank: Int = 0, least: Int = 16) -> Column {
    Column(title: title, rank: rank, least: least, place: .end, usual: least)
  }

  /// - Parameter cell: what `safeText` has passed.
  func cut(_ cell: String, to width: Int) -> String {
    guard DisplayWidth.columns(of: cell) > width else { return cell }
    guard let account = ShortARN.account(of: cell) else { return DisplayWidth.cut(cell, to: width, at: place) }
    // The account is whole or not there.
    let name = String(cell[..<account.startIndex])
    let left = width - account.utf8.count
    return left < 8 ? DisplayWidth.cut(name, to: width, at: .middle) : DisplayWidth.cut(name, to: left, at: .middle) + account
  }

  /// The width of each column so that a line has at most `width` columns; nil for those that are left out.
  ///
  /// - Parameter natural: the width of each column's widest cell.
  static func layout(_ columns: [Column], _ natural: [Int], within width: Int) -> [Int?] {
    func least(_ index: Int) -> Int {
      columns[index].least.map { min(natural[index], max($0, columns[index].title.count)) } ?? natural[index]
    }
    var widths = [Int?](repeating: nil, count: columns.count)
    var used = -gap
    for index in columns.indices.sorted(by: { (columns[$0].rank, $0) < (columns[$1].rank, $1) }) {
      let needed = gap + least(index)
      guard columns[index].rank == 0 || used + needed <= width else { continue }
      widths[index] = least(index)
      used += needed
    }
    let elastic = columns.indices.filter { widths[$0] != nil && columns[$0].least != nil }
    // Where even that is too wide, the widest give way; what then remains is the caller's to cut.
    while used > width, let widest = elastic.max(by: { widths[$0] ?? 0 < widths[$1] ?? 0 }), let now = widths[widest], now > 1 {
      widths[widest] = now - 1
      used -= 1
    }
    // The rest goes to those that still cut something, to each the same.
    func grown(_ index: Int) -> Int { (widths[index] ?? 0) - least(index) }
    while used < width,
      let next = elastic.filter({ widths[$0] ?? 0 < natural[$0] }).min(by: { grown($0) < grown($1) })
    {
      widths[next]? += 1
      used += 1
    }
    return widths
  }

  /// The blanks between two columns.
  static let gap = 2
}

/// `role/name @ 123456789012` for `arn:aws:iam::123456789012:role/path/name`.
enum ShortARN {
  /// - Returns: nil for what is no ARN of an account's user, role or session.
  static func text(_ arn: String) -> String? {
    // In bytes: a table of 20,000 roles is shortened while a person waits.
    guard arn.utf8.starts(with: "arn:".utf8) else { return nil }
    let parts = arn.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 5, omittingEmptySubsequences: false)
    guard parts.count == 6, parts[2].elementsEqual("iam".utf8) || parts[2].elementsEqual("sts".utf8), isAccount(parts[4]),
      let first = parts[5].firstIndex(of: UInt8(ascii: "/")), let last = parts[5].lastIndex(of: UInt8(ascii: "/"))
    else { return nil }
    let (kind, name) = (parts[5][..<first], parts[5][parts[5].index(after: last)...])
    guard !name.isEmpty else { return nil }
    // A path is between the two; a session is role and name, and has none.
    let shown = kind.elementsEqual("assumed-role".utf8) ? String(Substring(parts[5])) : "\(Substring(kind))/\(Substring(name))"
    return shown + " @ " + Substring(parts[4])
  }

  /// The end of a shortened ARN, which names the account; nil for other text.
  static func account(of text: String) -> Substring? {
    let end = text.utf8.suffix(15)
    return end.starts(with: " @ ".utf8) && isAccount(end.dropFirst(3)) ? Substring(end) : nil
  }

  private static func isAccount(_ text: Substring.UTF8View) -> Bool {
    text.count == 12 && text.allSatisfy { (48...57).contains($0) }
  }
}
