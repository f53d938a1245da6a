#include <stdio.h>
int main(void)
{
    puts("lipopose");
    return 0;
}
