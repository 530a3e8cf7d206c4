import Foundation
import TestSupport
import Testing

/// `vault audit report`: the page, read by a parser and shown by a browser that are not ours.
@Suite(.endToEnd, .sharesFixtures) struct ReportTests {
  @Test(
    "the page is well formed, names its own style and script in a strict policy, and has a caption for every table",
    arguments: [false, true])
  func form(hostile: Bool) async throws {
    let log = try await GeneratedLog.shared(rows: 800, hostile: hostile)
    let reading = try await ReportPage(log.vault).read()
    #expect(reading.faults == [])
    let count = try await log.query("SELECT sum(action = 'Deliver') AS n FROM audit_event")
    #expect(reading.data.cells.reduce(0) { $0 + $1[5] } == count[0]["n"] as? Int)
  }

  @Test("hostile names are text and nothing else, in the page and in a browser")
  func hostile() async throws {
    let log = try await GeneratedLog.shared(rows: 800, hostile: true)
    let page = try await ReportPage(log.vault)
    let reading = try await page.read()
    let name = "<img src=x onerror=alert(1)>"
    #expect(reading.texts.contains { $0.contains(name) })
    #expect(reading.data.users.contains("</script><script>alert(1)</script><!--"))
    #expect(!page.html.contains(name) && !page.html.contains("<!--") && UnsafeCharacters.areMissing(in: page.html))
    let shown = try await page.inBrowser()
    #expect(!shown.contains("<img") && !shown.contains("<!--"))
    #expect(shown.components(separatedBy: "<script").count == 3)
    // The script ran, although every name that it read was hostile.
    #expect(shown.contains("<form aria-label=\"What is shown\">"))
  }

  @Test("a script that got into the page all the same would not run")
  func policy() async throws {
    let log = try await GeneratedLog.shared(rows: 800)
    let page = try await ReportPage(log.vault)
    let attack = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\"></body>"
    let shown = try await page.inBrowser { $0.replacingOccurrences(of: "</body>", with: attack) }
    #expect(shown.contains("<title>vault: audit report</title>") && shown.contains("<form"))
    // Without the policy it would.
    let open = try await page.inBrowser {
      $0.replacingOccurrences(of: "</body>", with: attack).replacingOccurrences(of: "Content-Security-Policy", with: "X-Nothing")
    }
    #expect(open.contains("<title>owned</title>"))
  }

  @Test("a chosen profile leaves its bars and rows alone, and the sums are those of the database")
  func filters() async throws {
    let log = try await GeneratedLog.shared(rows: 2_000)
    let page = try await ReportPage(log.vault)
    let choose = """
      <script>
      const select = document.querySelector("form select");
      select.value = [...select.options].find((option) => option.textContent === "app-dev").value;
      select.dispatchEvent(new Event("change", { bubbles: true }));
      </script></body>
      """
    let shown = try await page.inBrowser {
      $0.replacingOccurrences(of: "</body>", with: choose).replacingOccurrences(of: "Content-Security-Policy", with: "X-Nothing")
    }
    let sums = try await log.query(
      """
      SELECT sum(action = 'Deliver') AS deliveries, sum(action = 'AssumeRole') AS calls, sum(outcome <> 'success') AS failures \
      FROM audit_event WHERE profile = 'app-dev' AND outcome <> 'intent'
      """)
    for name in ["deliveries", "calls", "failures"] {
      let sum = try #require(sums[0][name] as? Int)
      #expect(
        shown.contains("<dd data-sum=\"\(name)\">\(sum.formatted(.number.locale(Locale(identifier: "en_US"))))</dd>"), "\(name)")
    }
    let lanes = shown.components(separatedBy: "<tr role=\"row\"").dropFirst(2)
    #expect(lanes.filter { !$0.hasPrefix(" hidden") }.count == 1)
    #expect(shown.contains("Only app-dev: "))
  }

  @Test("what is never used is told: profiles, and roles that no session ever had")
  func unused() async throws {
    let log = try await GeneratedLog.shared(rows: 2_000)
    let reading = try await ReportPage(log.vault).read()
    let start = try #require(reading.texts.firstIndex(of: "Unused profiles"))
    for name in ["audit-archive", "old-sandbox", "partner"] { #expect(reading.texts[start...].contains { $0.contains(name) }) }
    let never = try #require(reading.texts.firstIndex(of: "Roles never assumed"))
    #expect(reading.texts[never...].contains("audit-archive-writer") && reading.texts[never...].contains("sandbox-admin"))
    // Another profile has the same role, and uses it.
    #expect(!reading.texts[never...].contains("partner-access"))
  }

  @Test("what a used profile leads over is used with it, however far")
  func sources() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-chained", "--", "true")
    let texts = try await ReportPage(vault).read().texts
    let start = try #require(texts.firstIndex(of: "Unused profiles"))
    let end = texts[start...].firstIndex(of: "Roles never assumed") ?? texts.endIndex
    let unused = texts[start..<end]
    #expect(unused.contains { $0.contains("app-mfa") } && unused.contains { $0.contains("bob-dev") })
    for name in ["alice", "app-dev", "app-chained"] { #expect(!unused.contains(name), "\(name) \(unused)") }
  }

  @Test("filters narrow the page, an empty vault has one too, and the file is for its owner alone")
  func file() async throws {
    let log = try await GeneratedLog.shared(rows: 800)
    let page = try await ReportPage(log.vault, "--profile", "app-dev", "--since", "2026-11-01")
    let reading = try await page.read()
    #expect(reading.faults == [] && reading.data.profiles == ["app-dev"])
    #expect(reading.texts.contains("--profile app-dev --since 2026-11-01"))
    #expect(try page.mode == 0o600)
    let empty = try await ReportPage(TestVault()).read()
    #expect(empty.faults == [] && empty.texts.contains("No sessions in this period."))
    #expect(try await log.vault.run("audit", "report").end == .exit(64))
  }
}
