      *> An EZASOKET client. Arguments: host, text. With a third, "TAKE",
      *> they are a client name and a number: takes that socket and
      *> writes to it.
       IDENTIFICATION DIVISION.
       PROGRAM-ID. EZACLI.
       DATA DIVISION.
       WORKING-STORAGE SECTION.
       01  F-INITAPI        PIC X(16) VALUE 'INITAPI'.
       01  F-GETADDRINFO    PIC X(16) VALUE 'GETADDRINFO'.
       01  F-FREEADDRINFO   PIC X(16) VALUE 'FREEADDRINFO'.
       01  F-SOCKET         PIC X(16) VALUE 'SOCKET'.
       01  F-CONNECT        PIC X(16) VALUE 'CONNECT'.
       01  F-SEND           PIC X(16) VALUE 'SEND'.
       01  F-RECV           PIC X(16) VALUE 'RECV'.
       01  F-WRITE          PIC X(16) VALUE 'WRITE'.
       01  F-CLOSE          PIC X(16) VALUE 'CLOSE'.
       01  F-TAKESOCKET     PIC X(16) VALUE 'TAKESOCKET'.
       01  MAXSOC           PIC 9(4) COMP VALUE 50.
       01  IDENT            PIC X(16) VALUE SPACES.
       01  SUBTASK          PIC X(8) VALUE 'CLIENT  '.
       01  MAXSNO           PIC 9(8) COMP.
       01  HOST             PIC X(40).
       01  HOST-LEN         PIC 9(8) COMP VALUE 40.
       01  SERV             PIC X(8) VALUE '7100'.
       01  SERV-LEN         PIC 9(8) COMP VALUE 8.
       01  HINTS-PTR        USAGE POINTER VALUE NULL.
       01  RES-PTR          USAGE POINTER VALUE NULL.
       01  CANN-LEN         PIC 9(8) COMP.
       01  NAME-LEN         PIC 9(8) COMP.
       01  CANONICAL        PIC X(256).
       01  NAME-PTR         USAGE POINTER.
       01  NEXT-PTR         USAGE POINTER.
       01  AF               PIC 9(8) COMP.
       01  SOCK-STREAM      PIC 9(8) COMP VALUE 1.
       01  PROTO            PIC 9(8) COMP VALUE 0.
       01  S                PIC 9(4) COMP.
       01  FLAGS            PIC 9(8) COMP VALUE 0.
       01  NBYTE            PIC 9(8) COMP.
       01  BUF              PIC X(80).
       01  WHAT             PIC X(40).
       01  HOW              PIC X(8).
       01  GIVER.
           02 GV-DOMAIN     PIC 9(8) COMP VALUE 2.
           02 GV-NAME       PIC X(8).
           02 GV-TASK       PIC X(8) VALUE SPACES.
           02 GV-RESERVED   PIC X(20) VALUE LOW-VALUES.
       01  ERRNO            PIC 9(8) COMP.
       01  RETCODE          PIC S9(8) COMP.
       01  SHOWN            PIC -(7)9.
       LINKAGE SECTION.
       01  PEER-NAME.
           02 PN-FAMILY     PIC 9(4) COMP.
           02 PN-PORT       PIC 9(4) COMP.
           02 PN-REST       PIC X(24).
       PROCEDURE DIVISION.
       MAIN.
           ACCEPT HOST FROM ARGUMENT-VALUE.
           ACCEPT WHAT FROM ARGUMENT-VALUE.
           ACCEPT HOW FROM ARGUMENT-VALUE.
           CALL 'EZASOKET' USING F-INITAPI MAXSOC IDENT SUBTASK MAXSNO
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           IF HOW = 'TAKE'
               PERFORM TAKE-IT
           ELSE
               PERFORM CALL-IT
           END-IF.
           CALL 'EZASOKET' USING F-CLOSE S ERRNO RETCODE.
           PERFORM CHECK-IT.
           STOP RUN.
       CALL-IT.
           CALL 'EZASOKET' USING F-GETADDRINFO HOST HOST-LEN SERV
               SERV-LEN HINTS-PTR RES-PTR CANN-LEN ERRNO RETCODE.
           PERFORM CHECK-IT.
           CALL 'EZACIC09' USING RES-PTR NAME-LEN CANONICAL NAME-PTR
               NEXT-PTR RETCODE.
           PERFORM CHECK-IT.
           SET ADDRESS OF PEER-NAME TO NAME-PTR.
           MOVE PN-FAMILY TO AF.
           MOVE AF TO SHOWN.
           DISPLAY 'FAMILY ' SHOWN.
           CALL 'EZASOKET' USING F-SOCKET AF SOCK-STREAM PROTO
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           MOVE RETCODE TO S.
           CALL 'EZASOKET' USING F-CONNECT S PEER-NAME ERRNO RETCODE.
           PERFORM CHECK-IT.
           CALL 'EZASOKET' USING F-FREEADDRINFO RES-PTR ERRNO RETCODE.
           PERFORM CHECK-IT.
           MOVE WHAT TO BUF.
           MOVE 40 TO NBYTE.
           CALL 'EZASOKET' USING F-SEND S FLAGS NBYTE BUF
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           MOVE 80 TO NBYTE.
           MOVE SPACES TO BUF.
           CALL 'EZASOKET' USING F-RECV S FLAGS NBYTE BUF
               ERRNO RETCODE.
           PERFORM CHECK-IT.
           DISPLAY 'GOT ' BUF(1:40).
       TAKE-IT.
           MOVE HOST TO GV-NAME.
           COMPUTE S = FUNCTION NUMVAL(WHAT).
           CALL 'EZASOKET' USING F-TAKESOCKET S GIVER ERRNO RETCODE.
           PERFORM CHECK-IT.
           MOVE RETCODE TO S.
           MOVE 'FROM THE TAKER' TO BUF.
           MOVE 14 TO NBYTE.
           CALL 'EZASOKET' USING F-WRITE S NBYTE BUF ERRNO RETCODE.
           PERFORM CHECK-IT.
           DISPLAY 'TOOK'.
       COPY "ezacheck.cpy".
