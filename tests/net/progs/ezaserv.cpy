      *> What ezaserv.cob and ezasel.cob both have.
       01  F-SOCKET         PIC X(16) VALUE 'SOCKET'.
       01  F-BIND           PIC X(16) VALUE 'BIND'.
       01  F-LISTEN         PIC X(16) VALUE 'LISTEN'.
       01  F-ACCEPT         PIC X(16) VALUE 'ACCEPT'.
       01  F-READ           PIC X(16) VALUE 'READ'.
       01  F-WRITE          PIC X(16) VALUE 'WRITE'.
       01  F-CLOSE          PIC X(16) VALUE 'CLOSE'.
       01  F-TERMAPI        PIC X(16) VALUE 'TERMAPI'.
       01  SUBTASK          PIC X(8) VALUE 'SUBTASK1'.
       01  MAXSNO           PIC 9(8) COMP.
       01  AF-INET6         PIC 9(8) COMP VALUE 19.
       01  SOCK-STREAM      PIC 9(8) COMP VALUE 1.
       01  PROTO            PIC 9(8) COMP VALUE 0.
       01  S-LISTEN         PIC 9(4) COMP.
       01  S-CONN           PIC 9(4) COMP.
       01  BACKLOG          PIC 9(8) COMP VALUE 5.
       01  SOCK-NAME.
           02 SN-FAMILY     PIC 9(4) COMP VALUE 19.
           02 SN-PORT       PIC 9(4) COMP VALUE 7100.
           02 SN-FLOW       PIC 9(8) COMP VALUE 0.
           02 SN-ADDR       PIC X(16) VALUE LOW-VALUES.
           02 SN-SCOPE      PIC 9(8) COMP VALUE 0.
       01  NBYTE            PIC 9(8) COMP.
       01  BUF              PIC X(80).
       01  SELECT-MAX       PIC 9(8) COMP VALUE 32.
       01  CHAR-MASK        PIC X(32) VALUE ALL '0'.
       01  NO-MASK          PIC X(4) VALUE LOW-VALUES.
       01  R-RET            PIC X(4).
       01  W-RET            PIC X(4).
       01  E-RET            PIC X(4).
       01  CTOB             PIC X(4) VALUE 'CTOB'.
       01  BTOC             PIC X(4) VALUE 'BTOC'.
       01  ERRNO            PIC 9(8) COMP.
       01  RETCODE          PIC S9(8) COMP.
       01  SHOWN            PIC -(7)9.
