/// A list to choose from, as it is after each key; apart from the terminal, so that it can be tested.
///
/// Typing narrows the list, the arrows move. Where several may be chosen, Tab marks an entry and Ctrl-A all that are shown; Enter
/// takes the marked ones, or the one at the cursor.
struct ChoiceList {
  enum Outcome: Equatable { case goesOn, taken([Int]), left }

  private static let maxTyped = 200

  let texts: SearchedTexts
  let takesSeveral: Bool
  private(set) var typed = ""
  /// The entries that match, the best first.
  private(set) var shown: [Int]
  /// An index of ``shown``.
  private(set) var cursor = 0
  private(set) var marked: Set<Int> = []

  init(_ texts: SearchedTexts, takesSeveral: Bool = false) {
    self.texts = texts
    self.takesSeveral = takesSeveral
    shown = texts.matches("")
  }

  /// Narrows the list to what matches a text.
  mutating func type(_ text: String) {
    typed = text
    shown = texts.matches(text)
    cursor = 0
  }

  /// - Parameter page: how many entries are on the screen.
  mutating func press(_ key: Key, page: Int) -> Outcome {
    switch key {
    case .character(let character): if typed.count < Self.maxTyped { type(typed + String(character)) }
    case .backspace: if !typed.isEmpty { type(String(typed.dropLast())) }
    case .eraseWord:
      var rest = Substring(typed)
      while rest.last == " " { rest.removeLast() }
      while let last = rest.last, last != " " { rest.removeLast() }
      type(String(rest))
    case .eraseAll: type("")
    case .up: move(to: cursor - 1)
    case .down: move(to: cursor + 1)
    case .pageUp: move(to: cursor - page)
    case .pageDown: move(to: cursor + page)
    case .first: move(to: 0)
    case .last: move(to: shown.count - 1)
    case .mark where takesSeveral && !shown.isEmpty:
      if marked.remove(shown[cursor]) == nil { marked.insert(shown[cursor]) }
      move(to: cursor + 1)
    case .markAll where takesSeveral:
      if Set(shown).isSubset(of: marked) { marked.subtract(shown) } else { marked.formUnion(shown) }
    case .take:
      if !marked.isEmpty { return .taken(marked.sorted()) }
      return shown.isEmpty ? .goesOn : .taken([shown[cursor]])
    case .leave: return .left
    case .mark, .markAll, .suspend, .redraw, .other: break
    }
    return .goesOn
  }

  private mutating func move(to place: Int) { cursor = max(0, min(place, shown.count - 1)) }
}
