import Testing
import VaultModel

@testable import vault

@Suite struct ChoiceListTests {
  private func list(_ names: [String], details: String = "", takesSeveral: Bool = false) -> ChoiceList {
    var texts = SearchedTexts()
    for name in names { texts.add(name: name.utf8, details: details.utf8) }
    return ChoiceList(texts, takesSeveral: takesSeveral)
  }

  private func press(_ keys: [Key], in list: inout ChoiceList) -> ChoiceList.Outcome {
    for key in keys.dropLast() { #expect(list.press(key, page: 10) == .goesOn) }
    return keys.last.map { list.press($0, page: 10) } ?? .goesOn
  }

  private func typing(_ text: String) -> [Key] { text.map { .character($0) } }

  @Test("every typed word must occur, in whatever order and case; the best match is first")
  func narrowing() {
    var list = list(["billing-app-dev", "app-dev-eu", "mapping-dev", "app-dev", "App-Prod", "überwachung-dev"])
    #expect(list.shown == [0, 1, 2, 3, 4, 5])
    _ = press(typing("app"), in: &list)
    // Beginnings, beginnings of a part, within a word; otherwise the list's own order.
    #expect(list.shown == [1, 3, 4, 0, 2])
    _ = press(typing("-dev"), in: &list)
    #expect(list.shown == [3, 1, 0])
    _ = press([.eraseAll] + typing("DEV ÜBER"), in: &list)
    #expect(list.shown == [5])
    _ = press([.eraseWord], in: &list)
    #expect(list.typed == "DEV " && list.shown.count == 5)
    _ = press(typing("zz"), in: &list)
    #expect(list.shown.isEmpty && press([.take], in: &list) == .goesOn)
    #expect(press([.backspace, .backspace, .take], in: &list) == .taken([0]))
  }

  @Test("what is in the details is found too, after every name")
  func details() {
    var texts = SearchedTexts()
    texts.add(name: "one".utf8, details: "arn:aws:iam::123456789012:role/admin".utf8)
    texts.add(name: "superadmin".utf8, details: "arn:aws:iam::210987654321:role/x".utf8)
    #expect(texts.matches("admin") == [1, 0])
    #expect(texts.matches("123456789012 admin") == [0])
    // A word does not reach from a name into its details.
    #expect(texts.matches("onearn").isEmpty)
  }

  @Test("the cursor stays in the list, however far a key would move it")
  func moving() {
    var list = list((0..<25).map { "p\($0)" })
    #expect(press([.up, .take], in: &list) == .taken([0]))
    #expect(press([.down, .pageDown, .take], in: &list) == .taken([11]))
    #expect(press([.pageDown, .pageDown, .take], in: &list) == .taken([24]))
    #expect(press([.pageUp, .take], in: &list) == .taken([14]))
    #expect(press([.first, .last, .down, .take], in: &list) == .taken([24]))
    // Typing begins at the best match again.
    #expect(press(typing("p1") + [.take], in: &list) == .taken([1]))
    #expect(press([.leave], in: &list) == .left)
    var nothing = self.list([])
    #expect(press([.down, .up, .pageUp, .last, .mark, .take], in: &nothing) == .goesOn && nothing.cursor == 0)
  }

  @Test("where several may be chosen, Enter takes the marked ones in the list's order, else the one at the cursor")
  func several() {
    var list = list(["a1", "b1", "a2", "b2"], takesSeveral: true)
    #expect(press([.down, .take], in: &list) == .taken([1]))
    #expect(press([.last, .mark, .first, .mark, .take], in: &list) == .taken([0, 3]))
    #expect(press([.mark, .first, .mark] + typing("a") + [.markAll, .take], in: &list) == .taken([0, 1, 2, 3]))
    #expect(press([.markAll, .eraseAll, .take], in: &list) == .taken([1, 3]))
    // A list of one ignores marks.
    var one = self.list(["a", "b"])
    #expect(press([.mark, .markAll, .take], in: &one) == .taken([0]))
  }

  @Test("a line of a profile holds no control character, and is as wide as there is room")
  func lines() {
    let now = Timestamp(seconds: 1_000_000)
    let choices = ProfileChoices(
      [
        .init(
          name: "app\u{1B}[2J\n", kind: .assumeRole, role: "arn:aws:iam::123456789012:role/team/my-role\u{7}", state: .fresh,
          endsAt: now.adding(seconds: 2_520)),
        .init(name: "team", kind: .sso, role: "", state: .needsLogin, endsAt: nil),
        .init(name: "settings", kind: nil, role: "", state: .none, endsAt: nil),
      ], now: now
    ) { _ in
      ConfigSection(kind: .profile, name: "team", settings: [])
    }
    let line = choices.line(0, 60)
    #expect(line.hasPrefix("app\\x1b[2J\\n  my-role\\x07 @ 123456789012  ") && line.hasSuffix("  42m left"), "\(line)")
    #expect(choices.line(1, 60).hasSuffix("  needs-login"))
    for columns in 1..<120 {
      for entry in 0..<3 {
        let line = choices.line(entry, columns)
        #expect(
          DisplayWidth.columns(of: line) <= columns && line.unicodeScalars.allSatisfy { $0.value >= 0x20 }, "\(columns): \(line)")
      }
    }
  }
}
