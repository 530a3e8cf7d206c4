/// `vault iam`: the AWS side of a role.
enum IAMCommand {
  static let all = [
    GenerateCommand.command,
    TrustCommand.command,
    WhyCommand.command,
    CheckCommand.command,
  ]
}
