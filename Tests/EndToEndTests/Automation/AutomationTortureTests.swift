import Foundation
import TestSupport
import Testing

/// Whether the long tests run (`make torture`); `make test` runs a short part of each.
private let isTorture = ProcessInfo.processInfo.environment["VAULT_TORTURE"] != nil

/// Trees of many processes that part from one another.
@Suite(.endToEnd, .serialized, .tags(.torture)) struct AutomationTortureTests {
  /// What each process of a tree was given.
  private struct Answer {
    let way: String
    let key: String

    static func all(in file: String) throws -> [Int: Answer] {
      var all: [Int: Answer] = [:]
      for line in try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n") {
        let words = line.split(separator: " ", maxSplits: 2).map(String.init)
        guard words.count == 3, let number = Int(words[0]) else { continue }
        #expect(all[number] == nil, "process \(number) asked twice")
        all[number] = Answer(way: words[1], key: words[2])
      }
      return all
    }
  }

  @Test("no process of a tree of forks, execs, daemons and sessions gets the wide session, and none outside of it the narrow one")
  func tree() async throws {
    let count = isTorture ? 10_000 : 300
    let seed = Int.random(in: 1...1_000_000)
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let fixture = Repository.root.appending(path: "Tests/EndToEndTests/Fixtures/automation_tree.py").path
    func words(_ results: String, _ count: Int) throws -> [String] {
      [try Programs.python, fixture, "\(seed)", "\(count)", vault.folder.file(results), try Programs.vault]
    }
    // The same tree outside, at the same time, as a person's shell would start it.
    let outside = try RunningProgram("/usr/bin/env", try words("outside", count / 10), environment: vault.environment)
    let inside = try await vault.run(
      words: ["exec", "--automation", "robot", "app-dev", "--"] + (try words("inside", count)), timeout: 7_200)
    #expect(inside.succeeded, "seed \(seed): \(inside.errors)")
    #expect(try await outside.wait(timeout: 7_200).succeeded)
    // The root lives until the last of them has ended.
    let deadline = Date().addingTimeInterval(1_200)
    while try await vault.rows("audit", "--action", "AutomationEnded").isEmpty, Date() < deadline {
      try await Task.sleep(for: .milliseconds(100))
    }
    var answers: [String: [Int: Answer]] = [:]
    while true {
      for place in ["inside", "outside"] { answers[place] = try Answer.all(in: vault.folder.file(place)) }
      // What the tree outside left behind has no root that would wait for it.
      if answers["outside"]?.count == count / 10 || Date() > deadline { break }
      try await Task.sleep(for: .milliseconds(100))
    }
    let (within, without) = (answers["inside"] ?? [:], answers["outside"] ?? [:])
    #expect(within.count == count && without.count == count / 10, "seed \(seed): \(within.count) and \(without.count) answered")
    // Which keys were narrowed is AWS's word.
    let calls = try await simulator.requests("AssumeRole")
    func keys(narrow: Bool) -> Set<String> {
      Set(calls.filter { ($0.parameters["PolicyArns.member.1.arn"] != nil) == narrow }.compactMap(\.issuedAccessKeyId))
    }
    let (narrow, wide) = (keys(narrow: true), keys(narrow: false))
    #expect(!narrow.isEmpty && !wide.isEmpty && narrow.isDisjoint(with: wide))
    for (number, answer) in within where !narrow.contains(answer.key) {
      Issue.record(
        "seed \(seed): process \(number) of the tree (\(answer.way)) got \(wide.contains(answer.key) ? "the wide session" : answer.key)"
      )
    }
    for (number, answer) in without where !wide.contains(answer.key) {
      Issue.record(
        "seed \(seed): process \(number) outside (\(answer.way)) got \(narrow.contains(answer.key) ? "the narrow session" : answer.key)"
      )
    }
    let given = try await vault.rows("audit", "--action", "Deliver", "--automation", "robot")
    #expect(given.count == count + 1)
    let ways = Dictionary(grouping: within.values, by: \.way).mapValues(\.count)
    print("a tree of \(count), seed \(seed): \(narrow.count) narrow keys, \(ways.sorted { $0.value > $1.value }.prefix(12))")
  }
}
