      *> Ends a program whose call has failed.
       CHECK-IT.
           IF RETCODE < 0
               MOVE ERRNO TO SHOWN
               DISPLAY 'FAILED, ERRNO ' SHOWN
               STOP RUN RETURNING 1
           END-IF.
