"""What the agent may use, and what it may do with it.

Answers:
    `Tool`, `ToolSpec`, `ToolContext`, `ToolResult`   the port
    `Registry`, `check`                               which tools there are; are arguments fit
    `decide`                                          allow, ask or deny (permission modes)
    `digest`, `summary`, `may_always`                 what an approval is bound to and shows
    `grants`                                          approvals that outlive one call
    `builtin_tools`                                   Read Write Edit Glob Grep Bash
"""
