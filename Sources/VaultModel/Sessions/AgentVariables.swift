/// The variables by which programs that act by themselves can be told.
public enum AgentVariables {
  /// The variable that `vault exec --automation` gives to its tree: the run's ID.
  public static let run = "VAULT_AUTOMATION_RUN"

  /// The variables by which coding agents name themselves. The AWS CLI labels its requests by the first ten of them
  /// (awscli/useragent.py); the others have no vendor, or are of agents that it does not know.
  public static let names = [
    "CLAUDECODE", "GEMINI_CLI", "CODEX_THREAD_ID", "KIRO_SESSION_ID", "OPENCODE", "ANTIGRAVITY_AGENT", "AMP_CURRENT_THREAD_ID",
    "PI_CODING_AGENT", "COPILOT_CLI", "CURSOR_AGENT", "KIRO_AGENT", "AI_AGENT", "AGENT", "CLINE_ACTIVE", "AUGMENT_AGENT",
    "QWEN_CODE",
  ]
}
