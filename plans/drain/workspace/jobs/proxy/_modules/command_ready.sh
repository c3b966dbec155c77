# Jobs that are behind the load balancer demand this command, so that it is rolled out before them.
echo "$JOB $CURRENT_VERSION is on $ALLOCATION_IP"
