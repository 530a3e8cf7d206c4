import Foundation
import TestSupport
import Testing

/// Who asks at the agent's socket: what a row says of it, and who is not answered. The clients are in Python, and lie.
@Suite(.endToEnd) struct AskerTests {
  /// A client of the protocol: `ask`, `answer`, and waiting for what another process does.
  private static let client = """
    import json, os, signal, socket, struct, sys, time
    def connect():
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(30)
        s.connect(os.environ["VAULT_HOME"] + "/agent.sock")
        return s
    def send(s, kind, *values):
        body = struct.pack("<HH", 3, kind) + run(*values)
        s.sendall(struct.pack("<I", len(body)) + body)
    def run(*values):
        return b"".join(struct.pack("<HI", tag, len(value)) + value for tag, value in enumerate(values, 1) if value is not None)
    def number(value): return None if value is None else struct.pack("<q", value)
    def fields(body):
        found, offset = {}, 0
        while offset < len(body):
            tag, length = struct.unpack("<HI", body[offset:offset + 6])
            found[tag] = body[offset + 6:offset + 6 + length]
            offset += 6 + length
        return found
    def ask(s, profile, command=None, refresh=0):
        no = bytes(1)
        issue = run(profile.encode(), b"exec", None, None, bytes([refresh]), no, no, no)
        send(s, 1, run(b"", b"", number(command), b"", b"", b""), issue)
        # The agent asks for our environment before it runs a program for us: there is none.
        while True:
            head = s.recv(8, socket.MSG_PEEK | socket.MSG_WAITALL)
            kind = struct.unpack("<H", head[6:8])[0] if len(head) == 8 else 0
            if kind not in (103, 104, 105): return
            read(s, 4 + struct.unpack("<I", head[:4])[0])
            if kind == 103: return send(s, 16, b"")
    def read(s, count):
        data = b""
        while len(data) < count:
            more = s.recv(count - len(data))
            if not more: return None
            data += more
        return data
    def answer(s):
        while True:
            head = read(s, 4)
            if head is None: return "closed"
            body = read(s, struct.unpack("<I", head)[0])
            kind, found = struct.unpack("<H", body[2:4])[0], fields(body[4:])
            if kind == 101: return "credentials" if 2 in fields(found[1]) else "nothing"
            if kind == 102: return (found[3] + b" " + found[1]).decode()
    def until(condition):
        for _ in range(2000):
            try:
                if condition(): return
            except OSError: pass
            time.sleep(0.01)
        sys.exit("waited in vain")
    agent = int(open(os.environ["VAULT_HOME"] + "/agent.lock").readline())
    def runs_sleep(pid): return os.readlink(f"/proc/{pid}/exe").endswith("/sleep")
    def is_gone(pid): return not os.path.exists(f"/proc/{pid}") or open(f"/proc/{pid}/stat").read().split(")")[-1].split()[0] == "Z"

    """

  /// A vault with a profile that needs nobody, and one that takes until the file `go` is there.
  private func vault() async throws -> TestVault {
    let vault = TestVault()
    let keys =
      #"{"Version": 1, "AccessKeyId": "ASIAEXAMPLE000000001", "SecretAccessKey": "secret-of-the-test", "SessionToken": "t"}"#
    let quick = vault.folder.write("#!/bin/sh\necho '\(keys)'\n", to: "quick.sh")
    let slow = vault.folder.write(
      """
      #!/bin/sh
      touch \(vault.folder.path)/started
      while ! test -e \(vault.folder.path)/go; do sleep 0.02; done
      echo '\(keys)'

      """, to: "slow.sh")
    for file in [quick, slow] { chmod(file, 0o700) }
    vault.config("[profile quick]\ncredential_process = \(quick)\n\n[profile slow]\ncredential_process = \(slow)\n")
    try await vault.mustRun("import")
    return vault
  }

  private func run(_ vault: TestVault, _ script: String, _ words: String...) async throws -> String {
    let result = try await Subprocess.run(
      "/usr/bin/python3", ["-I", "-c", Self.client + script] + words,
      environment: ["VAULT_HOME": vault.vaultHome, "FOLDER": vault.folder.path, "PATH": "/usr/bin:/bin"], timeout: 90)
    #expect(result.errors.isEmpty, "\(result.errors)")
    return result.output
  }

  private struct Row {
    let action: String
    let outcome: String
    let detail: String
    let pid: Int
    let program: String
    let executable: String
    let proven: Bool
  }

  private func rows(_ vault: TestVault) async throws -> [Row] {
    try await vault.rows("audit", "--profile", "quick").map(row) + vault.rows("audit", "--profile", "slow").map(row)
  }

  private func row(_ row: [String: Any]) throws -> Row {
    let who = try #require(row["requester"] as? [String: Any])
    return Row(
      action: row["action"] as? String ?? "", outcome: row["outcome"] as? String ?? "", detail: row["detail"] as? String ?? "",
      pid: who["pid"] as? Int ?? 0, program: who["program"] as? String ?? "", executable: who["executable"] as? String ?? "",
      proven: try #require(who["proven"] as? Bool))
  }

  private static let python = URL(fileURLWithPath: "/usr/bin/python3").resolvingSymlinksInPath().path

  @Test("who asks over a connection that another made is refused, and stands in the row itself, whatever that other has become")
  func connector() async throws {
    let vault = try await vault()
    let output = try await run(
      vault,
      """
      for becomes in "sleep", "gone":
          first = os.fork()
          if first == 0:
              s = connect()
              me = os.getpid()
              if os.fork() == 0:
                  until(lambda: runs_sleep(me) if becomes == "sleep" else is_gone(me))
                  ask(s, "quick")
                  print(os.getpid(), answer(s), flush=True)
                  if becomes == "sleep": os.kill(me, signal.SIGKILL)
                  os._exit(0)
              if becomes == "sleep": os.execv("/usr/bin/sleep", ["/usr/bin/terraform", "60"])
              os._exit(0)
          os.waitpid(first, 0)
          time.sleep(0.5)
      """)
    let lines = output.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 1).map(String.init) }
    #expect(
      lines.count == 2 && lines.allSatisfy { $0.count == 2 && $0[1].hasPrefix("77 refused: process \($0[0]) used") },
      "\(output)")
    let rows = try await rows(vault)
    #expect(rows.map { String($0.pid) } == lines.map { $0[0] }, "\(rows)")
    #expect(rows.allSatisfy { $0.action == "RequestRefused" && $0.outcome == "refused" && $0.program == Self.python }, "\(rows)")
    #expect(rows.allSatisfy { !$0.proven && $0.executable.isEmpty })
    #expect(try await vault.mustRun("audit", "--action", "RequestRefused").contains("\t\(Self.python) (unproven)\t"))
  }

  @Test("who asks and is gone, or another program, when the answer is there gets none, and its row is of what it was")
  func gone() async throws {
    let vault = try await vault()
    let output = try await run(
      vault,
      """
      folder = os.environ["FOLDER"]
      for becomes in "sleep", "gone":
          for name in "started", "go":
              if os.path.exists(f"{folder}/{name}"): os.unlink(f"{folder}/{name}")
          first = os.fork()
          if first == 0:
              s = connect()
              me = os.getpid()
              ask(s, "slow", refresh=1)
              until(lambda: os.path.exists(folder + "/started"))
              if os.fork() == 0:
                  until(lambda: runs_sleep(me) if becomes == "sleep" else is_gone(me))
                  open(folder + "/go", "w")
                  print(me, answer(s), flush=True)
                  if becomes == "sleep": os.kill(me, signal.SIGKILL)
                  os._exit(0)
              if becomes == "sleep": os.execv("/usr/bin/sleep", ["sleep", "60"])
              os._exit(0)
          os.waitpid(first, 0)
          time.sleep(0.5)
      """)
    #expect(
      output.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 1)[1] } == [
        "77 refused: the process that asked has become another program", "77 refused: the process that asked has ended",
      ], "\(output)")
    let rows = try await rows(vault)
    #expect(
      rows.filter { $0.action == "RequestRefused" }.map(\.detail) == [
        "the process that asked has become another program", "the process that asked has ended",
      ])
    // What was made for it has a row of its own, of the program that asked.
    #expect(rows.contains { $0.action == "Deliver" } && rows.allSatisfy { $0.executable == Self.python && $0.proven }, "\(rows)")
  }

  @Test("a command line of one's own making names no program; the vault's own client names what it becomes")
  func commandLine() async throws {
    let vault = try await vault()
    #expect(try await run(vault, "s = connect(); ask(s, 'quick', 4); print(answer(s))", "terraform") == "credentials\n")
    try await vault.mustRun("exec", "quick", "--", "true")
    // `argv[0]` of one's choice changes nothing.
    let named = try await Subprocess.run(
      "/bin/bash", ["-c", "exec -a /usr/bin/terraform \(try Programs.vault) exec quick -- true"], environment: vault.environment)
    #expect(named.succeeded, "\(named.errors)")
    let rows = try await rows(vault).filter { $0.action == "Deliver" }
    let client = URL(fileURLWithPath: try Programs.vault).resolvingSymlinksInPath().path
    #expect(rows.map(\.program) == [Self.python, "true", "true"] && rows.allSatisfy(\.proven), "\(rows)")
    #expect(rows.map(\.executable) == [Self.python, client, client])
  }

  @Test(
    "a program that stands at a well-known path only in a namespace of its own is served, and unproven everywhere",
    .enabled(if: geteuid() == 0, "needs a mount namespace"))
  func mounted() async throws {
    let vault = try await vault()
    let script = Self.client + "s = connect(); ask(s, 'quick'); print(os.readlink('/proc/self/exe'), answer(s))"
    let run = try await Subprocess.run(
      "/usr/bin/unshare",
      ["--mount", "sh", "-c", "mount --bind \(Self.python) /usr/bin/sleep && exec /usr/bin/sleep -I -c \"$1\"", "sh", script],
      environment: ["VAULT_HOME": vault.vaultHome, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONHOME": "/usr"])
    #expect(run.output == "/usr/bin/sleep credentials\n", "\(run.errors)")
    let rows = try await rows(vault)
    #expect(!rows.isEmpty && rows.allSatisfy { !$0.proven && $0.executable.isEmpty && $0.program == "/usr/bin/sleep" }, "\(rows)")
    #expect(try await vault.mustRun("audit", "--profile", "quick").contains("\t/usr/bin/sleep (unproven)\t"))
    #expect(try await vault.mustRun("audit", "--profile", "quick", "--format", "csv").contains(",/usr/bin/sleep (unproven),"))
    #expect(try await vault.mustRun("audit", "export", "--format", "csv").contains(",/usr/bin/sleep (unproven),"))
    let cef = try await vault.mustRun("audit", "export", "--format", "cef")
    #expect(
      cef.contains("sproc=/usr/bin/sleep (unproven) ") && cef.contains("vaultProven=false") && cef.contains("vaultProven=true"))
    let ocsf = try await vault.mustRun("audit", "export", "--format", "ocsf")
    #expect(ocsf.contains(#""name":"/usr/bin/sleep (unproven)""#) && ocsf.contains(#""proven":false"#))
    #expect(try await vault.mustRun("audit", "stats").contains("/usr/bin/sleep (unproven)"))
    // A line that is changed to say otherwise is found.
    let lines = try await vault.mustRun("audit", "export", "--format", "jsonl", "--whole")
    let whole = vault.folder.write(lines, to: "whole.jsonl")
    try await vault.mustRun("audit", "verify", whole)
    let told = vault.folder.write(lines.replacing(#""proven":false"#, with: #""proven":true"#), to: "told.jsonl")
    let found = try await vault.run("audit", "verify", told)
    #expect(found.end == .exit(65) && found.errors.contains("has an executable that contradicts proven"), "\(found.errors)")
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test(
    "a client that has no number where the agent lives is served, and unproven",
    .enabled(if: geteuid() == 0, "needs a pid namespace"))
  func otherNamespace() async throws {
    let vault = try await vault()
    try await vault.mustRun("agent", "stop")
    let agent = try RunningProgram(
      "/usr/bin/unshare", ["--pid", "--fork", "--kill-child", "--mount-proc", try Programs.vaultd], environment: vault.environment
    )
    while !agent.errors.contains("listens") { try await Task.sleep(for: .milliseconds(10)) }
    try await vault.mustRun("exec", "quick", "--", "true")
    let rows = try await rows(vault)
    #expect(
      rows.contains { $0.action == "Deliver" && $0.outcome == "success" } && rows.allSatisfy { !$0.proven && $0.pid == 0 },
      "\(rows)")
    agent.kill()
  }
}
