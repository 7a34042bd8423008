"""Programs and options that run something else: no call with one of them is approved for good.

The list need not be complete to be safe: a person still decides, and every command runs in the
sandbox. It keeps people from approving "anything at all" while they mean one harmless command.
"""

from __future__ import annotations

_PROGRAMS = """
sh bash dash ash ksh mksh zsh fish csh tcsh rbash busybox toybox pwsh powershell cmd wsl
python pythonw pypy ipython jython node nodejs deno bun ts-node tsx perl ruby irb php lua luajit
tclsh wish expect rscript r julia guile racket sbcl clisp ghci runghc scala groovy jshell java
elixir iex erl escript swift osascript awk gawk mawk nawk sed ed ex vi vim nvim emacs dc bc m4
gdb lldb sqlite psql mysql mongosh redis-cli octave wolframscript
env xargs parallel find fd sudo doas su pkexec runuser chroot unshare nsenter setpriv capsh
nohup setsid timeout nice ionice chrt taskset stdbuf time watch entr strace ltrace perf script
screen tmux flock at batch crontab systemd-run exec eval source command builtin trap alias
ssh scp sftp sshpass rsync mosh telnet nc ncat netcat socat docker podman nerdctl kubectl
npx pnpx bunx uvx pipx corepack man less more start-stop-daemon ld.so ld-linux
"""
_OPTIONS = """
-c -e -E -I -exec -execdir -ok -okdir --exec --eval --execute --command --shell --run
--exec-path --upload-pack --receive-pack --to-command --use-compress-program
--checkpoint-action --checkpoint --rsh --init-file --rcfile --config --pager --editor
"""

PROGRAMS = frozenset(_PROGRAMS.split())
OPTIONS = frozenset(_OPTIONS.split())
