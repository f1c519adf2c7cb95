"""Keys, records and sealing over bytes: no Twisted, no SQL, no network, no clock (docs/protocol.md).

Who builds on it meets these first: `authority.Authority`, `admission.Admission`, `noderecord.NodeRecord`,
`evictions.Evictions` (ring) · `names.canonical_user`, `credentials.register | log_in | change_password | recover`,
`account.Account` (accounts) · `session.SessionRecord`, `proofs.SignedRequest | Acknowledgement` (sessions) ·
`mailkey.MailKeys`, `channel.ChannelKeyring`, `envelope.SealingKey | Message`, `sealing.Sealer`, `opening.Opener`.
The registers' validators: `account.`, `session.`, `mailkey.validate_successor(old, new, ring)`; `session.epoch_of`,
`mailkey.key_id_of`, `mailkey.fence_of`; `proofs.check_acknowledgement` is the proof of a removal.
"""
