"""What can be typed after `p2pchat`: every command with its options, and which function runs it.

Nothing of Twisted is imported here, so that help, completion and wrong usage answer at once.
"""

from p2pchat.cli import simulate
from p2pchat.cli.options import (
    CommandParser,
    Commands,
    add_options,
    address,
    directory,
    file,
    natural,
    secret_file,
    switch,
)
from p2pchat.settings import CLIENT, SERVER, Setting, one_of, replicas, slots

PASSWORD = secret_file("password-file", "its first line is the password; - is standard input")
AUTHORITY = directory("authority", "folder of the ring authority")
DATA = directory("data", "ask the node with this data folder")


def build_parser() -> CommandParser:
    """The whole grammar of the p2pchat command."""
    parser = CommandParser(prog="p2pchat", description="A chat without a central server.")
    parser.set_defaults(target="")
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--print-completion", choices=("bash", "zsh"), help="print a completion script for a shell")
    parser.agent()
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", parser_class=CommandParser)
    for add_group in (
        add_account,
        add_chat,
        add_contacts,
        add_screens,
        add_ring,
        add_config,
        add_doctor,
        simulate.add_commands,
    ):
        add_group(commands)
    return parser


def add(commands: Commands, name: str, target: str, text: str, agent: bool = True) -> CommandParser:
    """One command: `target` is MODULE:FUNCTION under p2pchat.cli; `agent` adds the options of an agent to start."""
    parser: CommandParser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(target=target)
    if agent:
        parser.agent()
    return parser


def add_account(commands: Commands) -> None:
    """Accounts and sessions."""
    register = add(commands, "register", "account:register", "make an account and log in")
    register.option(PASSWORD)
    login = add(commands, "login", "account:login", "log in at this home")
    login.option(PASSWORD, switch("without-handover", "leave the history at the old place"))
    add(commands, "logout", "account:logout", "end the session and delete its keys from this home")
    passwd = add(commands, "passwd", "account:passwd", "change the password")
    passwd.option(
        secret_file("password-file", "first line: the password until now; second, if any: the new one"),
        secret_file("new-password-file", "its first line is the new password"),
    )
    rekey = add(commands, "rekey", "account:rekey", "a new identity, signed by the one until now; contacts are told")
    rekey.option(PASSWORD, switch("yes", "do not ask again"))
    unlock = add(commands, "unlock", "account:unlock", "open this home's encrypted history to read it, without a login")
    unlock.option(PASSWORD)
    recover = add(commands, "recover", "account:recover", "set a new password with the recovery key")
    recover.option(
        secret_file("recovery-key-file", "its first line is the recovery key"),
        secret_file("password-file", "its first line is the new password"),
    )
    unregister = add(commands, "unregister", "account:unregister", "delete the account; its name stays closed 30 days")
    unregister.option(PASSWORD, switch("yes", "do not ask again"))
    for command in (register, login, recover):
        command.add_argument("user", metavar="USER")
    add(commands, "session", "account:session", "whose session this home has, and whether it holds")


def add_chat(commands: Commands) -> None:
    """Messages."""
    send = add(commands, "send", "chat:send", "send a message")
    send.add_argument("user", metavar="USER")
    send.add_argument("text", metavar="TEXT", help="the message; - reads standard input")
    states = ("queued", "stored", "delivered")
    send.option(Setting("reply-to", "", "it answers the message ID of this chat", metavar="ID"))
    send.choice(Setting("wait", "stored", "return at this state (stored)", one_of(*states), metavar="STATE"), states)
    history = add(commands, "history", "chat:history", "print the messages with somebody, oldest first")
    history.add_argument("user", metavar="USER")
    history.option(
        Setting("limit", 100, "at most N messages (100)", natural, metavar="N"),
        Setting("before", "", "only what is older than message ID", metavar="ID"),
        Setting("search", "", "only messages with this text"),
    )
    add(commands, "chats", "chat:chats", "list the conversations")
    add(commands, "follow", "chat:follow", "print every event as it happens, until Ctrl-C")
    why = add(commands, "why", "chat:why", "print every attempt, hop and copy of a message")
    why.add_argument("id", metavar="ID")
    for name, text in (("export", "write the history to"), ("import", "read a history from")):
        transfer = add(commands, name, f"transfer:{name}_history", f"{text} FILE, as JSON lines")
        transfer.add_argument("file", metavar="FILE", help="- is standard output or input")


def add_contacts(commands: Commands) -> None:
    """People and their presence."""
    status = add(commands, "status", "contacts:status", "the agent's connection, or somebody's presence")
    status.add_argument("user", metavar="USER", nargs="?", default="")
    add(commands, "contacts", "contacts:contacts", "list contacts and requests")
    for name, text in (
        ("add", "make a contact, or accept a request"),
        ("verify", "print the digits to compare"),
        ("block", "take no more messages from somebody"),
        ("unblock", "take messages again"),
    ):
        command = add(commands, name, f"contacts:{name}", text)
        command.add_argument("user", metavar="USER")
        if name == "verify":
            command.option(switch("matched", "they match: mark as verified"))


def add_screens(commands: Commands) -> None:
    """The chat screen, and the demonstration."""
    tui = add(commands, "tui", "screens:chat", "the chat screen")
    tui.option(switch("plain", "one line for each event, for screen readers"))
    demo = add(commands, "demo", "demo:demo", "a ring of five nodes and two people on this machine", agent=False)
    demo.option(
        switch("check", "play the script and exit 0, or 1 with the reason"),
        directory("logs", "where to keep the logs of a demo that fails"),
    )


def add_ring(commands: Commands) -> None:
    """The operator's commands."""
    ring: CommandParser = commands.add_parser("ring", help="make and look after a ring")
    group = ring.add_subparsers(
        title="ring commands", metavar="COMMAND", dest="ring_command", required=True, parser_class=CommandParser
    )
    create = add(group, "create", "ring:create", "make a ring authority in DIR", agent=False)
    create.add_argument("directory", metavar="DIR")
    create.option(
        Setting("name", "p2pchat", "the ring's name, for people", metavar="N"),
        Setting("replicas", 4, "copies beside the owner's: 0, 2, 4 or 6 (4)", replicas, metavar="K"),
        Setting("slots", 1024, "parts of the circle (1024)", slots, metavar="S"),
    )
    admit = add(group, "admit", "ring:admit", "sign a certificate for a node or an operator", agent=False)
    admit.option(AUTHORITY, directory("data", "the data folder of the node to admit"))
    admit.option(file("out", "certificate and key go to this file"))
    # Not a setting: in the environment, P2PCHAT_OPERATOR is the certificate file that `ring status` uses.
    admit.add_argument("--operator", action="store_true", help="admit a person who watches the ring")
    evict = add(group, "evict", "ring_change:evict", "shut nodes out of the ring", agent=False)
    evict.option(AUTHORITY, DATA, file("operator", "an operator's certificate, for HOST:PORT"))
    evict.add_argument(
        "--lost-majority", action="store_true", help="the nodes are lost for ever: the others go on with what they have"
    )
    evict.add_argument(
        "nodes", metavar="NODE", nargs="+", help="8 or more hex digits; and HOST:PORT of a node that takes the list"
    )
    add_watching(group)


def add_watching(group: Commands) -> None:
    """`ring status`, `trace`, `view`, `drain`, `backup` and `restore`."""
    for name, target, text in (
        ("status", "ring_watch:status", "print every node of the ring"),
        ("trace", "ring_watch:trace", "print how USER or IDENTIFIER is found: hops, slot, configuration"),
        ("view", "screens:view", "the ring screen"),
    ):
        command = add(group, name, target, text, agent=False)
        if name == "trace":
            command.add_argument("point", metavar="USER|IDENTIFIER")
        command.add_argument("node", metavar="HOST:PORT", nargs="?", type=address, help="a ring address")
        command.option(DATA, file("operator", "an operator's certificate, for HOST:PORT"))
        if name == "status":
            command.option(switch("users", "list the users too"))
        if name == "view":
            command.option(switch("once", "print the screen once as text, and end"))
    drain = add(group, "drain", "ring_change:drain", "hand a node's records to the others, then end it", agent=False)
    drain.option(DATA)
    backup = add(group, "backup", "ring:backup", "copy a running node's database", agent=False)
    backup.option(DATA)
    restore = add(group, "restore", "ring_restore:restore", "bring a backup's records back into the ring", agent=False)
    restore.option(DATA)
    for command in (backup, restore):
        command.add_argument("file", metavar="FILE")


def add_config(commands: Commands) -> None:
    """Options of the programs: shown and checked, never taken as they are."""
    config: CommandParser = commands.add_parser("config", help="show and check the options of the programs")
    group = config.add_subparsers(
        title="config commands", metavar="COMMAND", dest="config_command", required=True, parser_class=CommandParser
    )
    show = add(group, "show", "config:show", "print every option as a file of options", agent=False)
    show.add_argument("program", metavar="PROGRAM", nargs="?", choices=("server", "client", "command"))
    show.add_argument("--origin", action="store_true", help="say where each value comes from")
    check = add(group, "check", "config:check", "say what is wrong with the options, each with its place", agent=False)
    for command in (show, check):
        table = {each.name: each for each in (*SERVER, *CLIENT) if each.name not in ("home", "config")}
        add_options(command.add_argument_group("options of the programs"), [], list(table.values()))
        command.set_defaults(settings=[])


def add_doctor(commands: Commands) -> None:
    """The check of a host."""
    doctor = add(
        commands, "doctor", "doctor:doctor", "look at ports, multicast, certificates, clock, disk and ring", False
    )
    doctor.add_argument("program", metavar="PROGRAM", nargs="?", choices=("server", "client"), default="server")
    table = {each.name: each for each in (*CLIENT, *SERVER) if each.name not in ("home", "config")}
    doctor.option(*table.values())
