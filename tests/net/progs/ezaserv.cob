      *> An EZASOKET server: one connection on the IPv6 wildcard, a line
      *> back in reverse case by way of EBCDIC; with argument GIVE the
      *> connection is given to another program instead.
       IDENTIFICATION DIVISION.
       PROGRAM-ID. EZASERV.
       DATA DIVISION.
       WORKING-STORAGE SECTION.
       COPY "ezaserv.cpy".
       01  F-INITAPI        PIC X(16) VALUE 'INITAPI'.
       01  F-SETSOCKOPT     PIC X(16) VALUE 'SETSOCKOPT'.
       01  F-GETPEERNAME    PIC X(16) VALUE 'GETPEERNAME'.
       01  F-NTOP           PIC X(16) VALUE 'NTOP'.
       01  F-GETCLIENTID    PIC X(16) VALUE 'GETCLIENTID'.
       01  F-GIVESOCKET     PIC X(16) VALUE 'GIVESOCKET'.
       01  F-SELECT         PIC X(16) VALUE 'SELECT'.
       01  F-GETHOSTNAME    PIC X(16) VALUE 'GETHOSTNAME'.
       01  MAXSOC           PIC 9(4) COMP VALUE 100.
       01  IDENT.
           02 TCPNAME       PIC X(8) VALUE SPACES.
           02 ADSNAME       PIC X(8) VALUE 'EZASERV '.
       01  OPT-REUSEADDR    PIC 9(8) COMP VALUE 4.
       01  OPT-VALUE        PIC 9(8) COMP VALUE 1.
       01  OPT-LEN          PIC 9(8) COMP VALUE 4.
       01  ADDR-TEXT        PIC X(45).
       01  ADDR-LEN         PIC 9(4) COMP VALUE 45.
       01  CLIENT.
           02 CL-DOMAIN     PIC 9(8) COMP.
           02 CL-NAME       PIC X(8).
           02 CL-TASK       PIC X(8).
           02 CL-RESERVED   PIC X(20).
       01  TAKER.
           02 TK-DOMAIN     PIC 9(8) COMP VALUE 2.
           02 TK-NAME       PIC X(8) VALUE SPACES.
           02 TK-TASK       PIC X(8) VALUE SPACES.
           02 TK-RESERVED   PIC X(20) VALUE LOW-VALUES.
       01  WAIT-TIME.
           02 WAIT-S        PIC S9(8) COMP VALUE 60.
           02 WAIT-US       PIC S9(8) COMP VALUE 0.
       01  E-MASK           PIC X(4).
       01  HOST-LEN         PIC 9(8) COMP VALUE 24.
       01  HOST-NAME        PIC X(24).
       01  HOW              PIC X(8).
       PROCEDURE DIVISION.
       MAIN.
           ACCEPT HOW FROM ARGUMENT-VALUE.
           CALL 'EZASOKET' USING F-INITAPI MAXSOC IDENT SUBTASK MAXSNO
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           MOVE MAXSNO TO SHOWN.
           DISPLAY 'MAXSNO ' SHOWN.
           CALL 'EZASOKET' USING F-GETHOSTNAME HOST-LEN HOST-NAME
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           DISPLAY 'HOST ' HOST-NAME.
           CALL 'EZASOKET' USING F-SOCKET AF-INET6 SOCK-STREAM PROTO
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           MOVE RETCODE TO S-LISTEN.
           CALL 'EZASOKET' USING F-SETSOCKOPT S-LISTEN OPT-REUSEADDR
               OPT-VALUE OPT-LEN ERRNO RETCODE.
           PERFORM CHECK-IT.
           CALL 'EZASOKET' USING F-BIND S-LISTEN SOCK-NAME
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           CALL 'EZASOKET' USING F-LISTEN S-LISTEN BACKLOG
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           DISPLAY 'READY'.
           CALL 'EZASOKET' USING F-ACCEPT S-LISTEN SOCK-NAME
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           MOVE RETCODE TO S-CONN.
           CALL 'EZASOKET' USING F-NTOP AF-INET6 SN-ADDR ADDR-TEXT
               ADDR-LEN ERRNO RETCODE.
           PERFORM CHECK-IT.
           DISPLAY 'PEER ' ADDR-TEXT(1:ADDR-LEN).
           IF HOW = 'GIVE'
               PERFORM GIVE-IT
           ELSE
               PERFORM SERVE-IT
           END-IF.
           CALL 'EZASOKET' USING F-CLOSE S-CONN ERRNO RETCODE.
           PERFORM CHECK-IT.
           CALL 'EZASOKET' USING F-CLOSE S-CONN ERRNO RETCODE.
           MOVE ERRNO TO SHOWN.
           DISPLAY 'CLOSED AGAIN ' SHOWN.
           CALL 'EZASOKET' USING F-TERMAPI.
           STOP RUN.
       SERVE-IT.
           MOVE 80 TO NBYTE.
           CALL 'EZASOKET' USING F-READ S-CONN NBYTE BUF
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           MOVE RETCODE TO NBYTE.
           CALL 'EZACIC05' USING BUF NBYTE.
           IF BUF(1:1) = X'C8'
               DISPLAY 'EBCDIC H'
           END-IF.
           CALL 'EZACIC04' USING BUF NBYTE.
           INSPECT BUF CONVERTING
               'abcdefghijklmnopqrstuvwxyz' TO
               'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.
           CALL 'EZASOKET' USING F-WRITE S-CONN NBYTE BUF
               ERRNO RETCODE.
           PERFORM CHECK-IT.
       GIVE-IT.
           CALL 'EZASOKET' USING F-GETCLIENTID CLIENT ERRNO RETCODE.
           PERFORM CHECK-IT.
           CALL 'EZASOKET' USING F-GIVESOCKET S-CONN TAKER
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           MOVE S-CONN TO SHOWN.
           DISPLAY 'GIVE ' CL-NAME ' ' SHOWN.
           MOVE '1' TO CHAR-MASK(S-CONN + 1:1).
           CALL 'EZACIC06' USING CTOB E-MASK CHAR-MASK SELECT-MAX
               RETCODE.
           PERFORM CHECK-IT.
           CALL 'EZASOKET' USING F-SELECT SELECT-MAX WAIT-TIME NO-MASK
               NO-MASK E-MASK R-RET W-RET E-RET ERRNO RETCODE.
           PERFORM CHECK-IT.
           CALL 'EZACIC06' USING BTOC E-RET CHAR-MASK SELECT-MAX
               RETCODE.
           IF CHAR-MASK(S-CONN + 1:1) = '1'
               DISPLAY 'TAKEN'
           END-IF.
       COPY "ezacheck.cpy".
